// @ts-check
// Numbers as people read them.
import { say } from './say.js';

/** As it is done in the language that the page speaks, whatever that of the browser's own menus. */
let formats = formatsIn('en');

/** @param {string} locale Such as `de-AT`. */
export function writeAsIn(locale) {
  formats = formatsIn(locale);
}

/** @param {string} locale */
function formatsIn(locale) {
  return {
    whole: new Intl.NumberFormat(locale, { maximumFractionDigits: 0 }),
    tenths: new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 }),
    clock: new Intl.DateTimeFormat(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit' }),
    date: new Intl.DateTimeFormat(locale, { dateStyle: 'medium', timeStyle: 'short' }),
  };
}

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** @param {number} bytes */
export function size(bytes) {
  const power = Math.min(UNITS.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? count(value) : formats.tenths.format(value)} ${UNITS[power]}`;
}

/** @param {number} ms */
export function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 2 * 86_400) return `${Math.floor(s / 3600)} h`;
  return say('{n} days', { n: count(Math.floor(s / 86_400)) });
}

/** @param {number} rate @returns {string} */
export function perSecond(rate) {
  if (rate === 0) return '–';
  if (rate >= 10) return `${count(rate)}/s`;
  if (rate >= 0.1) return `${formats.tenths.format(rate)}/s`;
  return `${formats.tenths.format(rate * 60)}/min`;
}

/** @param {number} value */
export function count(value) {
  return formats.whole.format(value);
}

/** `one` and `many` as they are said of one and of `{n}`. @param {number} value @param {string} one @param {string} many */
export function counted(value, one, many) {
  return say(value === 1 ? one : many, { n: count(value) });
}

/** @param {number} time @param {number} now */
export function moment(time, now) {
  return now - time < 12 * 3_600_000 && time <= now + 60_000 ? formats.clock.format(time) : formats.date.format(time);
}
