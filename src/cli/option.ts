/** One flag of a command. */
export interface Option {
  readonly type: 'string' | 'boolean';
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly multiple?: boolean;
  readonly help: string;
}
