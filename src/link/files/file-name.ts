// Names that strangers give to files, made fit to be names in a folder of ours.
import { createHash } from 'node:crypto';

/** Bytes of a file's name: what is put behind a name that is taken has to fit into 255 too. */
const NAME_BYTES = 200;
const EXTENSION_BYTES = 20;
/** What no file system has, or what steers a terminal or deceives the eye: controls, directions of writing, what Windows keeps for itself. */
const UNFIT = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff<>:"|?*]/gu;
/** Devices of Windows, whatever stands behind the dot. */
const DEVICE = /^(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]|conin\$|conout\$)\s*(\.|$)/i;

/** One name, without any way in it: the last part of what was given. Never empty, never hidden. */
export function safeFileName(given: string): string {
  const last = given.normalize('NFC').split(/[/\\]/).findLast((part) => part.trim() !== '') ?? '';
  const fit = last.replace(UNFIT, '_').replace(/^[.\s]+/, '').replace(/[.\s]+$/, '');
  const named = fit === '' ? 'file' : DEVICE.test(fit) ? `_${fit}` : fit;
  const { stem, extension } = parted(named);
  return `${cut(stem, NAME_BYTES - Buffer.byteLength(extension))}${extension}`;
}

/** The same name for the nth time: `report (2).pdf`. */
export function numbered(name: string, n: number): string {
  if (n <= 1) return name;
  const { stem, extension } = parted(name);
  return `${stem} (${n})${extension}`;
}

/** What ends as a marked name does, or as a key's. */
const MARKED = /(?:~[0-9a-f]{8}|=[0-9a-f]{16})$/i;

/** So many digits of a key nobody finds another one for. */
const KEY_DIGITS = 16;

/** How the folder of a key ends, whatever it is called: others cannot have one that does. */
export function keyMark(fingerprint: string): string {
  return `=${fingerprint.slice(0, KEY_DIGITS)}`;
}

/** The folder of a peer: of a key by its mark, of who has none by the name. Different names never share one: what had to be changed carries a mark of what it was. */
export function folderName(peer: string, fingerprint?: string): string {
  const safe = cut(safeFileName(peer.replaceAll(/[/\\]/g, '_')), NAME_BYTES - 1 - KEY_DIGITS);
  if (fingerprint !== undefined) return safe + keyMark(fingerprint);
  return safe === peer && !MARKED.test(peer) ? safe : `${safe}~${createHash('sha256').update(peer).digest('hex').slice(0, 8)}`;
}

function parted(name: string): { readonly stem: string; readonly extension: string } {
  const dot = name.lastIndexOf('.');
  const extension = dot > 0 ? name.slice(dot) : '';
  return Buffer.byteLength(extension) <= EXTENSION_BYTES ? { stem: dot > 0 ? name.slice(0, dot) : name, extension } : { stem: name, extension: '' };
}

/** To so many bytes of UTF-8 without half a character at the end, and without what may not end a name. */
function cut(text: string, bytes: number): string {
  if (Buffer.byteLength(text) <= bytes) return text;
  let fitted = '';
  let used = 0;
  for (const character of text) {
    used += Buffer.byteLength(character);
    if (used > bytes) break;
    fitted += character;
  }
  return fitted.replace(/[.\s]+$/, '') || 'file';
}
