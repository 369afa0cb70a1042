/** The stream error conditions (RFC 6120 §4.9.3) that bad XML can earn. */
export type XmlCondition =
  | 'bad-format' | 'invalid-namespace' | 'not-well-formed' | 'policy-violation' | 'restricted-xml' | 'unsupported-encoding';

export class XmlFault extends Error {
  override readonly name = 'XmlFault';
  readonly condition: XmlCondition;

  constructor(condition: XmlCondition, text: string) {
    super(text);
    this.condition = condition;
  }
}
