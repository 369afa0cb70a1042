// @ts-check
// Numbers as people read them.
import { say } from './say.js';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];

/** @param {number} bytes */
export function size(bytes) {
  const power = Math.min(UNITS.length - 1, bytes < 1 ? 0 : Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** power;
  return `${power === 0 || value >= 100 ? Math.round(value) : value.toFixed(1)} ${UNITS[power]}`;
}

/** @param {number} ms */
export function span(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  if (s < 60) return `${s} s`;
  if (s < 3600) return `${Math.floor(s / 60)} min`;
  if (s < 2 * 86_400) return `${Math.floor(s / 3600)} h`;
  return say('{n} days', { n: Math.floor(s / 86_400) });
}

/** @param {number} rate @returns {string} */
export function perSecond(rate) {
  if (rate === 0) return '–';
  if (rate >= 10) return `${count(Math.round(rate))}/s`;
  if (rate >= 0.1) return `${rate.toFixed(1)}/s`;
  return `${(rate * 60).toFixed(1)}/min`;
}

const whole = new Intl.NumberFormat(undefined, { maximumFractionDigits: 0 });
/** @param {number} value */
export function count(value) {
  return whole.format(value);
}

/** `one` and `many` as they are said of one and of `{n}`. @param {number} value @param {string} one @param {string} many */
export function counted(value, one, many) {
  return say(value === 1 ? one : many, { n: count(value) });
}

const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit', second: '2-digit' });
const date = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'short' });
/** @param {number} time @param {number} now */
export function moment(time, now) {
  return now - time < 12 * 3_600_000 && time <= now + 60_000 ? clock.format(time) : date.format(time);
}
