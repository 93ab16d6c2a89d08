// The right: the entry with its age, what it may take and took, what was decided and noted, the history of this plate.

import { facts, h } from './dom.js';
import { badge } from './queue.js';
import { has, number, percent, span, t, time } from './words.js';

/** @typedef {import('./server.js').Case} Case */

/** @param {Case} shown @param {number} now @returns {Node[]} */
export function entry(shown, now) {
  const { entry, item, list } = shown;
  /** A date and how long ago or ahead it is. @param {string | null} date */
  const dated = (date) => {
    if (!date) return null;
    const ms = Date.parse(date);
    if (Number.isNaN(ms)) return date;
    return `${time(ms)} (${ms <= now ? t('facts.ago', { span: span(now - ms) }) : t('facts.ahead', { span: span(ms - now) })})`;
  };
  return [
    entry.caution ? h('p', { class: 'caution', role: 'note' }, h('strong', {}, `${t('facts.caution')}: `), entry.caution) : null,
    h('h2', {}, t('facts.entry')),
    facts([
      [t('facts.plate'), h('span', { class: 'plate' }, entry.text, ' ', h('span', { class: 'where' }, entry.jurisdiction || t('any')))],
      [t('facts.severity'), [badge(item.priority), ` (${t('facts.priority', { n: item.priority })})`]],
      [t('facts.list'), `${item.list}${item.category ? ` · ${item.category}` : ''}`],
      [t('facts.reason'), entry.reason],
      [t('facts.since'), dated(entry.valid_from)],
      [t('facts.until'), entry.valid_until ? dated(entry.valid_until) : t('facts.forever')],
      [t('facts.filed'), entry.filed_by],
      [t('facts.source'), [entry.source, entry.source_version].filter(Boolean).join(' · ')],
      [t('facts.version'), list ? `${dated(list.built) ?? ''}, ${t('facts.entries', { n: number(list.entries) })}` : t('facts.nolist')],
      [t('facts.persons'), entry.two_person ? t('facts.two') : t('facts.one')],
    ]),
  ].filter((node) => node !== null);
}

/** @param {Case} shown @returns {Node[]} */
export function reading(shown) {
  const { item, read, passage, budget_ms: [hitMs = 500] } = shown;
  return [
    h('h2', {}, t('facts.reading')),
    facts([
      [t('facts.read'), h('span', { class: 'plate' }, read?.text || '–')],
      [t('facts.confidence'), read ? percent(read.confidence) : null],
      [t('facts.match'), `${t(`class.${item.class}`)} · ${t('facts.probability', { p: percent(shown.probability, 1) })}`],
      [t('facts.lane'), shown.lane && shown.lane !== item.lane ? `${shown.lane} (${item.lane})` : item.lane],
      [t('facts.passage'), passage ? t(passage.reads === 1 ? 'facts.oneread' : 'facts.reads', { n: number(passage.reads) }) : t('queue.inview')],
      [t('facts.camera'), shown.second_opinions.length ? shown.second_opinions.map((one) =>
        h('span', { class: 'block' }, h('span', { class: 'plate' }, one.written), ` ${t(`facts.camera.${one.comparison.opinion}`)}`)) : null],
      [t('facts.stored'), time(item.stored_ms)],
      [t('facts.budget'), budget(item.took_ms, hitMs)],
      [t('facts.others'), shown.others.length ? shown.others.map((one) =>
        h('span', { class: 'block' }, h('span', { class: 'plate' }, one.sought), ` ${one.jurisdiction || t('any')} · ${one.list} · ${t(`state.${one.state}`)}`)) : null],
    ]),
  ];
}

/** How much of a budget was used: a bar, and the same in words. @param {number} used @param {number} of */
function budget(used, of) {
  const over = used > of;
  return h('span', { class: over ? 'budget over' : 'budget' },
    h('progress', { max: of, value: Math.min(used, of), 'aria-label': t('facts.budget') }),
    ` ${t(over ? 'facts.over' : 'facts.within', { used: number(used), of: number(of) })}`);
}

/** @param {Case} shown @returns {Node[]} */
export function past(shown) {
  const decided = shown.dispositions.map((one) =>
    h('li', { class: one.undone_ms ? 'undone' : '' },
      h('strong', {}, t(`verdict.${one.verdict}`)), one.reason ? `: ${t(`reason.${one.reason}`)}` : '', ` · ${one.name} · ${time(one.decided_ms)}`,
      ` · ${t('facts.looked', { span: span(one.looked_ms) })}`, one.undone_ms ? ` · ${t('facts.undone')}` : ''));
  const notes = shown.notes.map((note) => h('li', {}, h('span', { class: 'note' }, note.body), h('span', { class: 'small block' }, `${note.name} · ${time(note.at_ms)}`)));
  const history = shown.history.map((one) =>
    h('li', {}, h('span', { class: 'plate small' }, one.read), ` ${time(one.at_ms)} · ${one.lane}`,
      ...one.cases.map((past) => h('span', { class: 'block small' }, `${past.list} ${past.sought}: ${has(`state.${past.state}`) ? t(`state.${past.state}`) : past.state}`))));
  return [
    decided.length ? h('h2', {}, t('facts.decided')) : null,
    decided.length ? h('ol', { class: 'plain' }, ...decided) : null,
    notes.length ? h('h2', {}, t('facts.notes')) : null,
    notes.length ? h('ul', { class: 'plain' }, ...notes) : null,
    h('h2', {}, t('facts.history')),
    history.length ? h('ul', { class: 'plain' }, ...history) : h('p', { class: 'small' }, t('facts.nohistory')),
  ].filter((node) => node !== null);
}
