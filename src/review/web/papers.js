// What is declared of a car beside what was seen of it.

import { facts, h } from './dom.js';
import { number, percent, t, time } from './words.js';

/** @typedef {import('./car.js').View} View
 * @typedef {import('./car.js').Finding} Finding */

/** What is declared beside what was measured; what contradicts comes first. @param {View} view */
export function papers(view) {
  const { declared, told, measured } = view;
  const empty = told.empty_probability;
  /** @type {[string, string, string, boolean][]} */
  const rows = [];
  if (declared) {
    const metres = (/** @type {number} */ mm) => `${number(mm / 1000, 1)} m`;
    const against = told.findings.find((/** @type {Finding} */ { detector }) => detector === 'manifest');
    rows.push([t('paper.load'), declared.loaded == null ? '–' : t(declared.loaded ? 'paper.loaded' : 'paper.empty'), t('paper.emptiness', { p: percent(empty) }), against?.kind === 'empty-mismatch' || (declared.loaded === true && empty > 0.5)]);
    rows.push([t('paper.weight'), declared.weight_kg == null ? '–' : `${number(declared.weight_kg)} kg`, against && declared.loaded !== false ? t('paper.contradicted') : '–', against?.kind === 'manifest']);
    rows.push([t('paper.length'), declared.length_dm == null ? '–' : metres(declared.length_dm * 100), metres(measured.length_mm), declared.length_dm != null && Math.abs(declared.length_dm * 100 - measured.length_mm) > 1500]);
    rows.push([t('paper.axles'), declared.axles == null ? '–' : number(declared.axles), number(measured.axles), declared.axles != null && declared.axles !== measured.axles]);
    rows.push([t('paper.commodity'), declared.commodity ?? '–', '–', false]);
    if (declared.containers?.length) rows.push([t('paper.containers'), declared.containers.join(', '), '–', false]);
  }
  rows.sort((a, b) => Number(b[3]) - Number(a[3]));
  return [h('h2', {}, t('paper.title')),
    declared ? h('table', {}, h('thead', {}, h('tr', {}, ...['paper.what', 'paper.declared', 'paper.seen'].map((word) => h('th', { scope: 'col' }, t(word))))),
      h('tbody', {}, ...rows.map(([what, says, seen, differs]) => h('tr', { class: differs ? 'differs' : '' }, h('td', {}, differs ? '≠ ' : '', what), h('td', {}, says), h('td', {}, seen))))) : h('p', { class: 'small' }, t('paper.none')),
    facts([
      [t('paper.mark'), view.mark ? `${view.mark} (${percent(told.mark_confidence)})` : t('trains.nomark')],
      [t('paper.sought'), told.hits?.length ? h('strong', {}, told.hits.map((/** @type {any} */ hit) => `${hit.seen ?? ''} (${hit.list ?? hit.entry?.list ?? ''})`).join(', ')) : null],
      [t('paper.earlier'), view.earlier ? `${time(view.earlier.received_ms)} · ${view.earlier.portal}` : t('paper.noearlier')],
      [t('paper.source'), view.source],
      [t('paper.dead'), view.dead.length ? number(view.dead.length) : null],
    ])];
}
