// Elements made by hand. Every text becomes a text node: nothing that a camera, list or person wrote is ever markup.

/** @typedef {Node | string | number | null | undefined | false} Child */

/**
 * Makes an element. Attributes: `on…` functions are listeners, `true` is an empty attribute, `false`, `null` and `undefined` are none.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Child | Child[])} children
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  attribute(element, attributes);
  fill(element, ...children);
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

/**
 * Makes an SVG element.
 * @param {string} tag
 * @param {Record<string, any>} [attributes]
 * @param {...(Child | Child[])} children
 */
export function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  attribute(element, attributes);
  fill(element, ...children);
  return element;
}

/**
 * @param {Element} element
 * @param {Record<string, any>} attributes
 */
function attribute(element, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
}

/**
 * Replaces what is in an element.
 * @param {Element} element
 * @param {...(Child | Child[])} children
 */
export function fill(element, ...children) {
  const nodes = children.flat().filter((child) => child !== null && child !== undefined && child !== false);
  element.replaceChildren(...nodes.map((child) => (child instanceof Node ? child : shown(String(child)))));
}

/** What is not seen and changes how the rest is seen: controls, marks of direction, characters without width. */
const UNSEEN = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]/g;

/** A text as it is: what would hide in it, or turn its neighbours around, is written out. @param {string} text */
export function shown(text) {
  return text.replace(UNSEEN, (character) => `⟨${character.charCodeAt(0).toString(16).toUpperCase().padStart(4, '0')}⟩`);
}

/**
 * A list of names and values; values that are empty are left out.
 * @param {Array<[string, Child | Child[]]>} pairs
 */
export function facts(pairs) {
  const full = pairs.filter(([, value]) => value !== null && value !== undefined && value !== '' && value !== false);
  return h('dl', { class: 'facts' }, ...full.map(([name, value]) => h('div', {}, h('dt', {}, name), h('dd', {}, value))));
}

/**
 * A table that can be scrolled where it is wider than its place.
 * @param {string} caption
 * @param {string[]} head
 * @param {Array<Array<Child | Child[]>>} rows
 */
export function table(caption, head, rows) {
  return h('div', { class: 'scrolls', tabindex: 0, role: 'region', 'aria-label': caption },
    h('table', {},
      h('caption', {}, caption),
      h('thead', {}, h('tr', {}, ...head.map((name) => h('th', { scope: 'col' }, name)))),
      h('tbody', {}, ...rows.map((row) => h('tr', {}, ...row.map((cell) => h('td', {}, cell)))))));
}
