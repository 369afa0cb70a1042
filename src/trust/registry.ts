/** What is needed of the log's small durable rows. */
export interface Registry {
  get(key: string): unknown;
  set(key: string, value: unknown): Promise<void>;
  entries(prefix: string): Iterable<readonly [string, unknown]>;
}
