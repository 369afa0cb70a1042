/** What of the log a home may have by way of another box, by position. */
export interface Carried {
  /** It has, as that box has said. */
  has(seq: number): boolean;
  /** It may: that has to be seen before it is sent, for some servers let nobody but its publisher write an item again. */
  may(seq: number): boolean;
}
