// All keys, and what the words mean.

import { h, table } from './dom.js';
import { bound } from './keys.js';
import { REASONS } from './review.js';
import { t } from './words.js';

/** How a key is written on a keyboard. @param {string} key */
const written = (key) => ({ ArrowDown: '↓', ArrowUp: '↑', Escape: 'Esc' })[key] ?? key.split('').join(key.length === 2 && key.startsWith('g') ? ' ' : '');

/** The keys that do something now. */
export function keys() {
  return table(t('help.keys'), [t('help.key'), t('help.does')], bound().map((key) => [h('kbd', {}, written(key.key)), t(key.words)]));
}

/** @returns {{element: HTMLElement, stop: () => void}} */
export function help() {
  const terms = ['two', 'claim', 'evidence', 'withdrawn', 'supervisor', 'stale', 'new', 'budget'].map((term) =>
    h('div', {}, h('dt', {}, t(`help.${term}`)), h('dd', {}, t(`help.${term}.is`))));
  return {
    element: h('div', { class: 'sheet' },
      h('h1', {}, t('help.title')),
      keys(),
      h('h2', {}, t('help.reasons')),
      h('ol', {}, ...REASONS.map((reason) => h('li', {}, h('strong', {}, t(`reason.${reason}`)), `: ${t(`reason.${reason}.is`)}`))),
      h('h2', {}, t('help.words')),
      h('dl', { class: 'facts terms' }, ...terms)),
    stop: () => {},
  };
}
