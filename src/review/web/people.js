// Who works here: made, changed, given a new password; the page shows each password once.

import { fill, h, table } from './dom.js';
import { ask, get } from './server.js';
import { has, t, time } from './words.js';

const ROLES = ['viewer', 'operator', 'supervisor', 'list-manager', 'auditor', 'admin'];

/** @param {string} id @param {string} chosen @param {string} label @param {(role: string) => void} [changed] */
function role(id, chosen, label, changed) {
  const select = h('select', { id, 'aria-label': label, onchange: () => changed?.(select.value) },
    ...ROLES.map((one) => h('option', { value: one, selected: one === chosen }, has(`role.${one}`) ? t(`role.${one}`) : one)));
  return select;
}

/** @returns {{element: HTMLElement, stop: () => void}} */
export function people() {
  const told = h('p', { role: 'status' });
  const all = h('div');
  const id = h('input', { id: 'person-id', required: true, pattern: '[a-z0-9]([a-z0-9\\-]*[a-z0-9])?', maxlength: 32, autocomplete: 'off' });
  const name = h('input', { id: 'person-name', maxlength: 100, autocomplete: 'off' });
  const chosen = role('person-role', 'operator', t('people.role'));

  /** @param {() => Promise<any>} act */
  const act = async (act) => {
    try {
      const answer = await act();
      told.className = '';
      fill(told, answer?.password ? [t('people.password', { id: answer.person?.id ?? '' }), ' ', h('code', {}, answer.password)].flat() : t('people.done'));
      await look();
    } catch (error) {
      told.className = 'alarm';
      fill(told, t('problem', { why: error instanceof Error ? error.message : String(error) }));
      await look().catch(() => {});
    }
  };
  const look = async () => {
    const { people } = await get('/v1/people');
    /** @param {any} one @param {any} change */
    const change = (one, change) => void act(() => ask('PATCH', `/v1/people/${one.id}`, change));
    fill(all, table(t('people.title'), [t('people.id'), t('people.name'), t('people.role'), t('people.state'), t('people.factor'), t('people.change')],
      people.map((/** @type {any} */ one) => [one.id, one.name, role(`role-${one.id}`, one.role, `${t('people.role')}: ${one.id}`, (wanted) => change(one, { role: wanted })),
        one.disabled ? t('people.disabled') : one.locked_until_ms > Date.now() ? t('people.locked', { time: time(one.locked_until_ms) })
          : one.has_password ? t('people.active') : t('people.once'),
        one.second_factor ? t('yes') : t('no'),
        h('span', { class: 'buttons' },
          h('button', { onclick: () => change(one, { reset: true }) }, t('people.reset')),
          h('button', { onclick: () => change(one, { disabled: !one.disabled }) }, t(one.disabled ? 'people.enable' : 'people.disable')))])));
  };
  look().catch((error) => fill(all, h('p', { class: 'alarm', role: 'alert' }, t('problem', { why: error.message }))));
  return {
    element: h('div', { class: 'sheet' },
      h('h1', {}, t('people.title')),
      told,
      h('form', { class: 'asking', onsubmit: (/** @type {Event} */ event) => {
        event.preventDefault();
        void act(() => ask('POST', '/v1/people', { id: id.value, name: name.value || id.value, role: chosen.value }));
      } },
        h('div', { class: 'field' }, h('label', { for: 'person-id' }, t('people.id')), id),
        h('div', { class: 'field' }, h('label', { for: 'person-name' }, t('people.name')), name),
        h('div', { class: 'field' }, h('label', { for: 'person-role' }, t('people.role')), chosen),
        h('button', { class: 'confirm' }, t('people.make'))),
      all),
    stop: () => {},
  };
}
