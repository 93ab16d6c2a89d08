// One place for every key. None acts while somebody types, and none with Ctrl, Alt or Meta: those are the browser's.

/** @typedef {{key: string, words: string, act: () => void, repeats?: boolean, hidden?: () => boolean}} Key */

/** @type {Map<string, Key>} */
const keys = new Map();
/** What came before in a chord: `g` then a letter. */
let before = '';

/** Adds or replaces keys. @param {Key[]} added */
export function bind(added) {
  for (const key of added) keys.set(key.key, key);
}

/** Takes keys away. @param {string[]} removed */
export function unbind(removed) {
  for (const key of removed) keys.delete(key);
}

/** All keys that do something now, in the order in which they were added. */
export function bound() {
  return [...keys.values()].filter((key) => !key.hidden?.());
}

/** @param {EventTarget | null} target */
export function types(target) {
  if (!(target instanceof HTMLElement)) return false;
  if (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement) return true;
  return target instanceof HTMLInputElement && !['checkbox', 'radio', 'button', 'submit'].includes(target.type);
}

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing || types(event.target)) return;
  if (document.querySelector('dialog[open]')) return;
  // Enter and space are the control's that has the focus.
  const on = event.target instanceof Element && event.target.closest('a, button, summary, input');
  if (on && (event.key === 'Enter' || event.key === ' ')) return;
  const chord = before + event.key;
  before = event.key === 'g' && before === '' ? 'g' : '';
  const key = keys.get(chord) ?? keys.get(event.key);
  if (!key || (event.repeat && !key.repeats)) return;
  event.preventDefault();
  key.act();
});
