// Who did what; and whether anybody has changed what is written there.

import { fill, h, table } from './dom.js';
import { get } from './server.js';
import { number, t, time } from './words.js';

/** @returns {{element: HTMLElement, stop: () => void}} */
export function audit() {
  const records = h('div');
  const verdict = h('p', { role: 'status' });
  const who = h('input', { id: 'audit-who', autocomplete: 'off' });
  const subject = h('input', { id: 'audit-subject', autocomplete: 'off', placeholder: 'hit 17' });

  /** @param {number | null} before */
  const look = async (before) => {
    const query = new URLSearchParams();
    if (before !== null) query.set('before', String(before));
    if (who.value.trim()) query.set('who', who.value.trim());
    if (subject.value.trim()) query.set('subject', subject.value.trim());
    try {
      const told = await get(`/v1/audit?${query}`);
      const last = told.records.at(-1);
      fill(records,
        table(t('audit.title'), [t('audit.number'), t('audit.time'), t('audit.who'), t('audit.action'), t('audit.subject'), t('audit.details')],
          told.records.map((/** @type {any} */ one) => [number(one.id), time(one.at_ms), one.who, one.action, one.subject,
            h('code', {}, JSON.stringify(one.details))])),
        last && last.id > 1 ? h('button', { onclick: () => void look(last.id) }, t('audit.older')) : null);
    } catch (error) {
      fill(records, h('p', { class: 'alarm', role: 'alert' }, t('problem', { why: error instanceof Error ? error.message : String(error) })));
    }
  };
  const verify = async () => {
    fill(verdict, t('search.looking'));
    try {
      const told = await get('/v1/audit/verification');
      const { wrong } = told;
      verdict.className = wrong ? 'alarm' : '';
      fill(verdict, wrong ? t('audit.wrong', { n: number(wrong.record), why: wrong.message }) : t('audit.right', { n: number(told.right) }));
    } catch (error) {
      fill(verdict, t('problem', { why: error instanceof Error ? error.message : String(error) }));
    }
  };
  void look(null);
  return {
    element: h('div', { class: 'sheet' },
      h('h1', {}, t('audit.title')),
      h('p', {}, h('button', { onclick: () => void verify() }, t('audit.verify'))), verdict,
      h('form', { class: 'asking', onsubmit: (/** @type {Event} */ event) => { event.preventDefault(); void look(null); } },
        h('div', { class: 'field' }, h('label', { for: 'audit-who' }, t('audit.who')), who),
        h('div', { class: 'field' }, h('label', { for: 'audit-subject' }, t('audit.subject')), subject),
        h('button', {}, t('search.go'))),
      records),
    stop: () => {},
  };
}
