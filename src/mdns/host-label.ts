import { cutText } from './name.ts';

/** XEP-0174 §3 allows no more than ASCII in the machine's part of a name. */
const MAX_HOST_BYTES = 40;

/** A host name as one label of ASCII letters, digits and hyphens; what comes after the first dot is left out. */
export function hostLabel(name: string): string {
  const [first = ''] = name.split('.');
  const plain = first.normalize('NFKD').replaceAll(/\p{M}/gu, '').replaceAll(/[^A-Za-z0-9-]+/g, '-').slice(0, MAX_HOST_BYTES).replaceAll(/^-+|-+$/g, '');
  return plain === '' ? 'box' : plain;
}

/** XEP-0174 §3: a name that is taken gets `-1`, `-2`, …; within so many bytes. */
export function numbered(name: string, number: number, bytes: number): string {
  return number === 0 ? cutText(name, bytes) : `${cutText(name, bytes - String(number).length - 1)}-${number}`;
}

/** The machine's part of an instance, with the number it was given. */
export function machineLabel({ base, number }: { readonly base: string; readonly number: number }): string {
  return numbered(base, number, 45);
}

/** `user@machine` as one label of at most 63 bytes; the user's part gives way (RFC 6763 §4.1.1). */
export function instanceLabel(user: string, number: number, machine: string): string {
  const end = `@${machine}`;
  return `${numbered(user, number, 63 - Buffer.byteLength(end))}${end}`;
}
