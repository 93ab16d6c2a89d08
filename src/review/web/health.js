// Lanes, portals, store and lists: how they do, and how they did by the hour.

import { fill, h, table } from './dom.js';
import { plot } from './plot.js';
import { get } from './server.js';
import { number, span, t, time } from './words.js';

/** @returns {{element: HTMLElement, stop: () => void}} */
export function health() {
  const element = h('div', { class: 'sheet' });
  const draw = async () => {
    const [status, hours] = await Promise.all([get('/v1/status', true), get('/v1/figures/hours', true)]);
    const rate = hours.judged.map((/** @type {number} */ judged, /** @type {number} */ at) => (judged ? (100 * hours.misread[at]) / judged : null));
    fill(element,
      h('h1', {}, t('health.title')),
      status.not_ready.length
        ? h('div', { class: 'alarm', role: 'alert' }, h('strong', {}, t('health.notready')), h('ul', {}, ...status.not_ready.map((/** @type {string} */ why) => h('li', {}, why))))
        : h('p', {}, t('health.ready')),
      h('div', { class: 'plots' },
        plot(t('health.latency'), hours, [
          { name: t('health.p50'), values: hours.took_p50_ms, kind: 'line', shade: 1 },
          { name: t('health.p99'), values: hours.took_p99_ms, kind: 'line', shade: 2 },
        ], { value: hours.budget_ms, name: t('health.budget') }),
        plot(t('health.passages'), hours, [{ name: t('health.passages'), values: hours.passages, kind: 'bars', shade: 1 }]),
        plot(t('health.hits'), hours, [{ name: t('health.hits'), values: hours.hits, kind: 'bars', shade: 1 }]),
        plot(t('health.shed'), hours, [{ name: t('health.shed'), values: hours.shed, kind: 'bars', shade: 2 }]),
        plot(t('health.misread'), hours, [{ name: t('health.misread'), values: rate, kind: 'line', shade: 2 }])),
      table(t('health.lanes'), [t('health.lane'), t('health.accepted'), t('health.shedcount'), t('health.rejected'), t('health.last'), t('health.source')],
        status.lanes.map((/** @type {any} */ lane) => [
          lane.name === lane.id ? lane.id : `${lane.name} (${lane.id})`, number(lane.accepted), number(lane.shed), number(lane.rejected),
          lane.last_frame_ms ? t('facts.ago', { span: span(Date.now() - lane.last_frame_ms) }) : t('health.never'),
          sources(lane),
        ])),
      table(t('health.portals'), [t('health.portal'), t('health.passing'), t('health.waiting'), t('health.inspected'), t('health.bad')],
        status.portals.map((/** @type {any} */ portal) => [portal.name ?? portal.id, portal.passing, portal.waiting, portal.inspected, portal.bad].map((cell) => String(cell ?? '–')))),
      table(t('health.lists'), [t('health.list'), t('health.entries'), t('health.state')],
        status.lists.map((/** @type {any} */ list) => [list.name, number(list.entries), list.error ?? t('health.inforce')])),
      h('p', { class: 'small' }, t('health.asof', { time: time(Date.now()) })));
  };
  const show = () => draw().catch((error) => fill(element, h('h1', {}, t('health.title')), h('p', { class: 'alarm', role: 'alert' }, t('problem', { why: error.message }))));
  void show();
  // Not while somebody reads the numbers under a plot or has the focus in here.
  const timer = setInterval(() => !element.contains(document.activeElement) && !element.querySelector('details[open]') && void show(), 10_000);
  return { element, stop: () => clearInterval(timer) };
}

/** @param {any} lane */
function sources(lane) {
  const told = [lane.pull, lane.folder].filter(Boolean).map((source) => (typeof source === 'string' ? source : `${source.state ?? ''} ${source.error ?? ''}`.trim()));
  return told.join('; ') || t('health.posted');
}
