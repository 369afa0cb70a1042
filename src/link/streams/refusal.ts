/** Why there is no stream. `condition` is what the peer is told (RFC 6120 §4.9.3). */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  /** `peer`: it went away, and may not another time. `refused`: it said no. */
  readonly kind: 'downgrade' | 'impostor' | 'unknown' | 'protocol' | 'refused' | 'peer';
  readonly condition: string;

  constructor(kind: Refusal['kind'], condition: string, message: string) {
    super(message);
    this.kind = kind;
    this.condition = condition;
  }
}
