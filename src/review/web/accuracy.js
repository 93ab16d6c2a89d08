// What dispositions say: how many hits were wrong, of which list, class and lane, and why.

import { fill, h, table } from './dom.js';
import { get } from './server.js';
import { number, percent, span, t } from './words.js';

/** @typedef {{name: string, confirmed: number, rejected: number, misread: number, wrong: [number, number, number] | null}} Judged */

/** @returns {{element: HTMLElement, stop: () => void}} */
export function accuracy() {
  const element = h('div', { class: 'sheet' });
  let hours = 24 * 7;
  const draw = async () => {
    const told = await get(`/v1/figures/accuracy?hours=${hours}`);
    /** @param {string} name @param {Judged[]} groups @param {(name: string) => string} say @param {string} [caption] */
    const grouped = (name, groups, say, caption = t('accuracy.by', { name })) =>
      table(caption, [name, t('state.confirmed'), t('state.rejected'), t('reason.misread'), t('accuracy.wrong')],
        (groups ?? []).map((group) => [say(group.name), number(group.confirmed), number(group.rejected), number(group.misread),
          group.wrong ? `${percent(group.wrong[0], 1)} (${percent(group.wrong[1], 1)}–${percent(group.wrong[2], 1)})` : '–']));
    const choice = h('select', { id: 'span', onchange: () => { hours = Number(choice.value); void show(); } },
      ...[24, 24 * 7, 24 * 31].map((one) => h('option', { value: one, selected: one === hours }, span(one * 3_600_000))));
    fill(element,
      h('h1', {}, t('accuracy.title')),
      h('p', {}, h('label', { for: 'span' }, t('accuracy.span')), ' ', choice),
      h('p', {}, t('accuracy.explained')),
      grouped(t('accuracy.all'), told.groups.all, () => t('accuracy.all'), t('accuracy.all')),
      grouped(t('facts.list'), told.groups.list, (name) => name),
      grouped(t('accuracy.class'), told.groups.class, (name) => t(`class.${name}`)),
      grouped(t('facts.lane'), told.groups.lane, (name) => name),
      table(t('accuracy.reasons'), [t('accuracy.reason'), t('accuracy.count')],
        Object.entries(told.reasons).map(([reason, count]) => [t(`reason.${reason}`), number(Number(count))])),
      table(t('accuracy.states'), [t('accuracy.state'), t('accuracy.count')],
        Object.entries(told.states).map(([state, count]) => [t(`state.${state}`), number(Number(count))])),
      h('p', {}, told.looked_ms ? t('accuracy.looked', { p50: number(told.looked_ms[0] / 1000, 1), p90: number(told.looked_ms[1] / 1000, 1) }) : t('accuracy.nothing'),
        ' ', t('accuracy.undone', { n: number(told.undone) })));
  };
  const show = () => draw().catch((error) => fill(element, h('h1', {}, t('accuracy.title')), h('p', { class: 'alarm', role: 'alert' }, t('problem', { why: error.message }))));
  void show();
  return { element, stop: () => {} };
}
