// Who passed: by plate, exactly, in part or nearly. A search says why and for which case, and its answer says what it cannot know.

import { fill, h, table } from './dom.js';
import { Refused, ask } from './server.js';
import { number, percent, span, t, time } from './words.js';

/** What was asked last, so that a look at another page loses nothing. @type {Record<string, string>} */
const asked = { meant: 'exact' };

/** @returns {{element: HTMLElement, stop: () => void}} */
export function search() {
  const results = h('div', { 'aria-live': 'polite' });
  /** @param {string} name @param {Record<string, any>} [more] */
  const field = (name, more = {}) => {
    const input = h('input', { id: `search-${name}`, name, value: asked[name] ?? '', autocomplete: 'off', oninput: () => (asked[name] = input.value), ...more });
    return h('div', { class: 'field' }, h('label', { for: `search-${name}` }, t(`search.${name}`)), input);
  };
  const meant = h('select', { id: 'search-meant', onchange: () => (asked['meant'] = meant.value) },
    ...['exact', 'prefix', 'pattern', 'near'].map((one) => h('option', { value: one, selected: asked['meant'] === one }, t(`search.meant.${one}`))));

  /** @param {string | null} before */
  const look = async (before) => {
    /** @param {string} name */
    const given = (name) => asked[name]?.trim() || null;
    /** @param {string} name */
    const at = (name) => (given(name) ? new Date(/** @type {string} */ (given(name))).getTime() : null);
    const wanted = {
      reason: given('reason'), case: given('case'), text: given('text'), meant: asked['meant'], lanes: given('lane') ? [given('lane')] : [],
      list: given('list'), jurisdiction: given('jurisdiction'), from_ms: at('from'), until_ms: at('until'), before, limit: 100,
    };
    fill(results, h('p', {}, t('search.looking')));
    try {
      show(await ask('POST', '/v1/search', wanted));
    } catch (error) {
      fill(results, h('p', { class: 'alarm', role: 'alert' }, t('problem', { why: error instanceof Refused || error instanceof Error ? error.message : String(error) })));
    }
  };

  /** @param {any} found */
  const show = (found) => {
    const blind = found.outages.map((/** @type {any} */ one) =>
      h('li', {}, h('strong', {}, one.lane), `: ${time(one.from_ms)} – ${one.until_ms ? time(one.until_ms) : t('search.still')} (${one.why})`));
    const shed = found.shed.map((/** @type {any} */ one) => h('li', {}, h('strong', {}, one.lane), `: ${t('search.shed', { n: number(one.frames) })}`));
    fill(results,
      h('p', {}, t('search.found', { n: number(found.passages.length), ms: number(found.took_ms), audit: found.audit })),
      found.cut ? h('p', { class: 'alarm' }, t('search.cut')) : null,
      blind.length || shed.length
        ? h('div', { class: 'alarm' }, h('strong', {}, t('search.blind')), h('ul', {}, ...blind, ...shed))
        : h('p', {}, t('search.sighted')),
      table(t('search.results'), [t('search.text'), t('facts.confidence'), t('evidence.issuer'), t('facts.lane'), t('search.seen'), t('search.hit'), t('search.edits')],
        found.passages.map((/** @type {any} */ one) => [h('span', { class: 'plate small' }, one.text), percent(one.confidence), one.jurisdiction ?? t('unknown'), one.lane,
          `${time(one.last_ms)} (${t('facts.ago', { span: span(Date.now() - one.last_ms) })})`, one.sought ? t('yes') : t('no'), number(one.edits)])),
      found.next ? h('button', { onclick: () => void look(found.next) }, t('search.more')) : null);
  };

  return {
    element: h('div', { class: 'sheet' },
      h('h1', {}, t('search.title')),
      h('p', {}, t('search.explained')),
      h('form', { class: 'asking', onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); void look(null); } },
        field('text', { autocapitalize: 'characters', spellcheck: 'false' }),
        h('div', { class: 'field' }, h('label', { for: 'search-meant' }, t('search.meant')), meant),
        field('reason', { required: true }), field('case', { required: true }),
        field('lane'), field('list'), field('jurisdiction', { placeholder: 'US-CA' }), field('from', { type: 'datetime-local' }), field('until', { type: 'datetime-local' }),
        h('button', { class: 'confirm' }, t('search.go'))),
      results),
    stop: () => {},
  };
}
