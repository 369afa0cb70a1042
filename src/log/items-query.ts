export interface ItemsQuery {
  readonly ids?: readonly string[];
  /** The newest n. */
  readonly last?: number;
  /** Positions above this one. */
  readonly after?: number;
  /** Accepted at this time, ms since 1970, or later: from the first such record on, whatever a clock that was set back says behind it. */
  readonly since?: number;
  /** The newest below this one. */
  readonly before?: number;
  /** How many of the oldest are left out. */
  readonly skip?: number;
  readonly limit?: number;
}
