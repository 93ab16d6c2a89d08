// The lists in force, and new versions of them: what each would change, before a second person activates it.

import { facts, fill, h, table } from './dom.js';
import { ask, get, send } from './server.js';
import { number, span, t, time } from './words.js';

/** @typedef {import('./dom.js').Child} Child */

const MANAGERS = ['list-manager', 'admin'];
const PRESETS = ['garita', 'genetec', 'vigilant', 'uk-voi', 'rail-consist'];

/** @returns {{element: HTMLElement, stop: () => void}} */
export function lists() {
  const force = h('div');
  const told = h('p', { role: 'status' });
  const form = h('div');
  const waiting = h('div');
  const element = h('div', { class: 'sheet' }, h('h1', {}, t('lists.title')), h('p', {}, t('lists.explained')), force, told, form, waiting);
  /** Who looks. @type {{id: string, role: string}} */
  let me = { id: '', role: '' };
  /** What is drawn of proposals: fields that somebody types into are not drawn anew for nothing. */
  let drawn = '';

  /** @param {() => Promise<any>} act @param {(answer: any) => string} done */
  const act = async (act, done) => {
    told.className = '';
    fill(told, t('search.looking'));
    try {
      fill(told, done(await act()));
    } catch (error) {
      told.className = 'alarm';
      fill(told, t('problem', { why: error instanceof Error ? error.message : String(error) }));
    }
    await look().catch(() => {});
  };

  const look = async () => {
    const { lists } = await get('/v1/lists', true);
    fill(force, table(t('lists.title'), [t('health.list'), t('health.entries'), t('facts.version'), t('health.state')],
      lists.map((/** @type {any} */ list) => {
        const built = Date.parse(list.version);
        return [list.name, number(list.entries), Number.isNaN(built) ? list.version : `${time(built)} (${t('facts.ago', { span: span(Date.now() - built) })})`,
          list.error ? h('strong', { class: 'over' }, list.error) : t('health.inforce')];
      })));
    if (!MANAGERS.includes(me.role) && me.role !== 'auditor') return;
    const { proposals } = await get('/v1/proposals', true);
    const now = JSON.stringify(proposals);
    if (now === drawn) return;
    const open = await Promise.all(proposals.filter((/** @type {any} */ one) => one.state === 'proposed').map((/** @type {any} */ one) => get(`/v1/proposals/${one.id}`, true)));
    drawn = now;
    fill(waiting,
      h('h2', {}, t('proposals.waiting')),
      open.length === 0 ? h('p', {}, t('proposals.none')) : null,
      ...open.map((one) => proposal(one, me, act)),
      table(t('proposals.decided'), [t('health.list'), t('proposals.number'), t('proposals.by'), t('proposals.changes'), t('health.state'), t('proposals.decider')],
        proposals.filter((/** @type {any} */ one) => one.state !== 'proposed').map((/** @type {any} */ one) =>
          [one.list, number(one.id), `${one.proposed_name}, ${time(one.proposed_ms)}`, counts(one.told), t(`proposals.${one.state}`) + (one.why ? `: ${one.why}` : ''),
            [one.decided_name, time(one.decided_ms)].filter(Boolean).join(', ')])));
  };

  const begin = async () => {
    const [session, { lists }] = await Promise.all([get('/v1/session', true), get('/v1/lists', true)]);
    me = session.person ?? me;
    if (MANAGERS.includes(me.role)) fill(form, proposing(lists.map((/** @type {any} */ list) => list.name), act));
    await look();
  };
  const failed = (/** @type {Error} */ error) => fill(force, h('p', { class: 'alarm', role: 'alert' }, t('problem', { why: error.message })));
  begin().catch(failed);
  const timer = setInterval(() => void look().catch(failed), 10_000);
  return { element, stop: () => clearInterval(timer) };
}

/** Where a file is given. @param {string[]} names @param {(act: () => Promise<any>, done: (answer: any) => string) => Promise<void>} act */
function proposing(names, act) {
  const list = h('select', { id: 'propose-list' }, ...names.map((name) => h('option', { value: name }, name)));
  const preset = h('select', { id: 'propose-preset' }, h('option', { value: '' }, t('proposals.aslist')), ...PRESETS.map((name) => h('option', { value: name }, name)));
  const file = h('input', { id: 'propose-file', type: 'file', required: true, accept: '.csv,.txt,.tsv' });
  const incremental = h('input', { id: 'propose-incremental', type: 'checkbox' });
  const note = h('input', { id: 'propose-note', maxlength: 100, autocomplete: 'off' });
  /** @param {string} words @param {HTMLElement} control */
  const field = (words, control) => h('div', { class: 'field' }, h('label', { for: control.id }, t(words)), control);
  return h('form', { class: 'asking', onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    const chosen = file.files?.[0];
    if (!chosen) return;
    const query = new URLSearchParams({ incremental: String(incremental.checked), note: note.value });
    if (preset.value) query.set('preset', preset.value);
    void act(() => send(`/v1/lists/${encodeURIComponent(list.value)}/proposals?${query}`, chosen), (one) => t('proposals.proposed.now', { n: number(one.id), changes: counts(one.told) }));
  } },
    field('health.list', list), field('proposals.file', file), field('proposals.layout', preset), field('proposals.incremental', incremental), field('proposals.note', note),
    h('button', { class: 'confirm' }, t('proposals.propose')));
}

/** @param {any} told */
function counts(told) {
  return t('proposals.counts', { added: number(told.added), removed: number(told.removed), changed: number(told.changed), same: number(told.same), bad: number(told.bad) });
}

/**
 * One that waits: what it would change, and who decides.
 * @param {any} one @param {{id: string, role: string}} me @param {(act: () => Promise<any>, done: (answer: any) => string) => Promise<void>} act
 */
function proposal(one, me, act) {
  const { told } = one;
  const name = t('proposals.one', { n: number(one.id), list: one.list });
  const why = h('input', { id: `refuse-${one.id}`, maxlength: 100, required: true, autocomplete: 'off' });
  const own = one.proposed_by === me.id;
  const decides = !MANAGERS.includes(me.role) ? null : h('form', { class: 'asking', onsubmit: (/** @type {Event} */ event) => {
    event.preventDefault();
    void act(() => ask('POST', `/v1/proposals/${one.id}/refusal`, { why: why.value }), () => t('proposals.refused.now', { n: number(one.id) }));
  } },
    own ? h('p', {}, t('proposals.own'))
      : h('button', { type: 'button', class: 'confirm', 'aria-label': `${t('proposals.activate')}: ${name}`,
        onclick: () => void act(() => ask('POST', `/v1/proposals/${one.id}/activation`), () => t('proposals.activated.now', { n: number(one.id) })) }, t('proposals.activate')),
    h('div', { class: 'field' }, h('label', { for: why.id }, t('proposals.why')), why),
    h('button', { 'aria-label': `${t(own ? 'proposals.back' : 'proposals.refuse')}: ${name}` }, t(own ? 'proposals.back' : 'proposals.refuse')));
  return h('section', { class: 'proposal', 'aria-label': name },
    h('h3', {}, name),
    facts([[t('proposals.by'), `${one.proposed_name}, ${time(one.proposed_ms)}`], [t('proposals.until'), time(one.expires_ms)], [t('proposals.note'), one.note],
      [t('proposals.changes'), counts(told)], [t('health.entries'), number(told.entries)], [t('proposals.expired.entries'), told.expired ? number(told.expired) : null],
      [t('proposals.repeated'), told.repeated ? number(told.repeated) : null]]),
    decides,
    some('proposals.bad', told.bad, told.first_bad, [t('proposals.line'), t('proposals.column'), t('proposals.wrong')], (bad) => [number(bad.line), number(bad.column), bad.why]),
    some('proposals.added', told.added, told.first_added, ENTRY.map((field) => t(`entry.${field}`)), entry),
    some('proposals.removed', told.removed, told.first_removed, ENTRY.map((field) => t(`entry.${field}`)), entry),
    some('proposals.changed', told.changed, told.first_changed, [t('entry.text'), t('entry.list'), t('proposals.difference')], (change) =>
      [h('span', { class: 'plate small' }, change.after.text), change.after.list,
        change.fields.map((/** @type {string} */ field) => h('div', {}, h('strong', {}, field), `: ${shown(change.before[field])} → ${shown(change.after[field])}`))]));
}

const ENTRY = ['text', 'jurisdiction', 'list', 'category', 'priority', 'reason', 'until'];

/** The cells of an entry. @param {any} one @returns {Array<Child | Child[]>} */
function entry(one) {
  return [h('span', { class: 'plate small' }, one.text), one.jurisdiction || t('unknown'), one.list, one.category, one.priority, one.reason, one.valid_until ? time(Date.parse(one.valid_until)) : '–'];
}

/** @param {any} value */
function shown(value) {
  return value === null || value === '' ? '–' : String(value);
}

/**
 * A table of the first of some, unless there are none.
 * @param {string} words @param {number} all @param {any[]} first @param {string[]} head @param {(one: any) => Array<Child | Child[]>} row
 */
function some(words, all, first, head, row) {
  if (all === 0) return null;
  return table(t(words, { n: number(all) }) + (all > first.length ? ` ${t('proposals.first', { n: number(first.length) })}` : ''), head, first.map(row));
}
