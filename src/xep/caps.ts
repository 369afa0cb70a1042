// XEP-0115: Entity Capabilities, version 1.6.0: what software can do, as a hash that anybody can check.
import { createHash } from 'node:crypto';
import { attr, children, type Element, namespaceOf } from '../xmpp/element.ts';

export const NS_CAPS = 'http://jabber.org/protocol/caps';
const NS_DATA = 'jabber:x:data';

export interface Caps {
  readonly node: string;
  readonly hash: string;
  readonly ver: string;
}

export interface Identity {
  readonly category: string;
  readonly type: string;
  readonly lang?: string;
  readonly name?: string;
}

/** XEP-0128: what else is told, by kind. */
export interface Form {
  readonly type: string;
  readonly fields: readonly { readonly name: string; readonly values: readonly string[] }[];
}

/** A disco#info answer. */
export interface Info {
  readonly identities: readonly Identity[];
  readonly features: readonly string[];
  readonly forms?: readonly Form[];
}

/** §8.1, and the names that the registry of hash functions has for others (XEP-0300). */
const HASHES: ReadonlyMap<string, string> = new Map([['sha-1', 'sha1'], ['sha-224', 'sha224'], ['sha-256', 'sha256'], ['sha-384', 'sha384'], ['sha-512', 'sha512']]);

/** i;octet (RFC 4790 §9.3). */
export const byOctets = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

export function isSupported(hash: string): boolean {
  return HASHES.has(hash);
}

/** §5.1; undefined for a hash function that is not known here. */
export function capsVersion(info: Info, hash = 'sha-1'): string | undefined {
  const algorithm = HASHES.get(hash);
  return algorithm === undefined ? undefined : createHash(algorithm).update(verificationString(info)).digest('base64');
}

/** §5.1, steps 1 to 7. */
export function verificationString({ identities, features, forms = [] }: Info): string {
  const who = identities.toSorted((a, b) => byOctets(a.category, b.category) || byOctets(a.type, b.type) || byOctets(a.lang ?? '', b.lang ?? ''));
  const parts = [
    ...who.map(identityText),
    ...features.toSorted(byOctets),
    ...forms.toSorted((a, b) => byOctets(a.type, b.type)).flatMap(({ type, fields }) => [
      type,
      ...fields.toSorted((a, b) => byOctets(a.name, b.name)).flatMap(({ name, values }) => [name, ...values.toSorted(byOctets)]),
    ]),
  ];
  return parts.map((part) => `${part}<`).join('');
}

const identityText = ({ category, type, lang = '', name = '' }: Identity): string => `${category}/${type}/${lang}/${name}`;

/** A disco#info `<query/>`; undefined when §5.4 calls it ill-formed, or when a part could pass for two. */
export function readInfo(query: Element): Info | undefined {
  const of = (name: string): Element[] => children(query).filter((child) => child.name === name && namespaceOf(child) === namespaceOf(query));
  const identities = of('identity').map((element): Identity => {
    const [lang, name] = [attr(element, 'xml:lang'), attr(element, 'name')];
    return { category: attr(element, 'category') ?? '', type: attr(element, 'type') ?? '', ...(lang ? { lang } : {}), ...(name ? { name } : {}) };
  });
  const features = of('feature').map((element) => attr(element, 'var') ?? '');
  const forms: Form[] = [];
  for (const element of children(query)) {
    const form = namespaceOf(element) === NS_DATA && element.name === 'x' ? readForm(element) : undefined;
    if (form === 'ill-formed') return undefined;
    if (form) forms.push(form);
  }
  if (repeats(identities.map(identityText)) || repeats(features) || repeats(forms.map(({ type }) => type))) return undefined;
  const parts = [
    ...identities.flatMap((identity) => Object.values(identity).map(String)), ...features,
    ...forms.flatMap(({ type, fields }) => [type, ...fields.flatMap(({ name, values }) => [name, ...values])]),
  ];
  // §8.3: with `<` in it, what is one name here would be two features to another.
  return parts.some((part) => part.includes('<')) ? undefined : { identities, features, forms };
}

/** §5.4: a form that does not say what it is about is ignored; one that says two things spoils the whole. */
function readForm(element: Element): Form | 'ill-formed' | undefined {
  const fields = children(element).filter((child) => child.name === 'field');
  const about = fields.find((field) => attr(field, 'var') === 'FORM_TYPE');
  if (!about || attr(about, 'type') !== 'hidden') return undefined;
  const [type, ...others] = new Set(valuesOf(about));
  if (others.length > 0) return 'ill-formed';
  return type === undefined ? undefined : {
    type,
    fields: fields.flatMap((field) => {
      const name = attr(field, 'var');
      return name === undefined || field === about ? [] : [{ name, values: valuesOf(field) }];
    }),
  };
}

function valuesOf(field: Element): string[] {
  return children(field).filter((child) => child.name === 'value').map((value) => value.getText());
}

function repeats(texts: readonly string[]): boolean {
  return new Set(texts).size < texts.length;
}
