/** One flag of a command. */
export interface Option {
  readonly type: 'string' | 'boolean';
  /** What stands for the value in the help. */
  readonly value?: string;
  readonly multiple?: boolean;
  /** One of many of a kind: in the one line of usage they are one. */
  readonly oneOf?: string;
  readonly help: string;
}
