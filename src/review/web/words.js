// Everything that the page says, in English or Spanish; numbers and times as that language writes them.

/** @typedef {'en' | 'es'} Language */

/** @type {Language[]} */
export const LANGUAGES = ['en', 'es'];

/** @type {Language} */
let language = 'en';
/** @type {Record<string, string>} */
let words = {};
/** @type {Intl.DateTimeFormat} */
let times;
/** @type {Intl.DateTimeFormat} */
let clock;

/** @returns {Language} */
export function chosen() {
  const kept = localStorage.getItem('garita.language');
  if (kept === 'en' || kept === 'es') return kept;
  return navigator.language.startsWith('es') ? 'es' : 'en';
}

/** @param {Language} wanted */
export async function speak(wanted) {
  const answer = await fetch(`/web/${wanted}.json`);
  words = await answer.json();
  language = wanted;
  times = new Intl.DateTimeFormat(wanted, { dateStyle: 'medium', timeStyle: 'medium' });
  clock = new Intl.DateTimeFormat(wanted, { timeStyle: 'medium' });
  document.documentElement.lang = wanted;
  localStorage.setItem('garita.language', wanted);
}

export function spoken() {
  return language;
}

/**
 * What the page says for `key`; `{name}` in it is replaced. A key without words shows itself: tests look for that.
 * @param {string} key
 * @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const text = words[key];
  if (text === undefined) {
    console.error(`no words for ${key} in ${language}`);
    return `⟦${key}⟧`;
  }
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? String(values[name]) : whole));
}

/** Whether there are words for this key. @param {string} key */
export function has(key) {
  return key in words;
}

/** @param {number} value @param {number} [digits] */
export function number(value, digits = 0) {
  return value.toLocaleString(language, { maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** A share, 0..=1, in per cent. @param {number} share @param {number} [digits] */
export function percent(share, digits = 0) {
  return share.toLocaleString(language, { style: 'percent', maximumFractionDigits: digits, minimumFractionDigits: digits });
}

/** Day and time. @param {number} ms since the Unix epoch */
export function time(ms) {
  return times.format(ms);
}

/** Time of day. @param {number} ms since the Unix epoch */
export function ofDay(ms) {
  return clock.format(ms);
}

/** How long something is, in one or two units. @param {number} ms */
export function span(ms) {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 100) return t('span.seconds', { n: number(seconds) });
  if (seconds < 6000) return t('span.minutes', { n: number(Math.round(seconds / 60)) });
  if (seconds < 48 * 3600) return t('span.hours', { n: number(Math.round(seconds / 3600)) });
  return t('span.days', { n: number(Math.round(seconds / 86400)) });
}
