// The lists in force: how many entries, how old, and why a newer file is not.

import { fill, h, table } from './dom.js';
import { get } from './server.js';
import { number, span, t, time } from './words.js';

/** @returns {{element: HTMLElement, stop: () => void}} */
export function lists() {
  const element = h('div', { class: 'sheet' });
  const draw = async () => {
    const { lists } = await get('/v1/lists', true);
    fill(element,
      h('h1', {}, t('lists.title')),
      h('p', {}, t('lists.explained')),
      table(t('lists.title'), [t('health.list'), t('health.entries'), t('facts.version'), t('health.state')],
        lists.map((/** @type {any} */ list) => {
          const built = Date.parse(list.version);
          return [list.name, number(list.entries), Number.isNaN(built) ? list.version : `${time(built)} (${t('facts.ago', { span: span(Date.now() - built) })})`,
            list.error ? h('strong', { class: 'over' }, list.error) : t('health.inforce')];
        })));
  };
  const show = () => draw().catch((error) => fill(element, h('h1', {}, t('lists.title')), h('p', { class: 'alarm', role: 'alert' }, t('problem', { why: error.message }))));
  void show();
  const timer = setInterval(() => void show(), 10_000);
  return { element, stop: () => clearInterval(timer) };
}
