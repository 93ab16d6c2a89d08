// Trains: the list of scans, the cars of one as small pictures, and one car (car.js). Which of them, the address says: #trains, #trains/12, #trains/12/3.

import { Car } from './car.js';
import { fill, h, table } from './dom.js';
import { bind, unbind } from './keys.js';
import { get } from './server.js';
import { number, percent, t, time } from './words.js';

/** @typedef {{position: number, kind: string, mark: string | null, score: number, empty_probability: number, penetration_limited: number, findings: number, probability: number,
 *   waiting: number, hits: any[] | null, error: string | null}} CarRow
 * @typedef {{scan: number, portal: string, name: string | null, state: string, received_ms: number, cut_short: string | null, error: string | null, pictures: boolean, cars: CarRow[]}} Train */

/** Whether cars stand in the order of the train, or the most unusual first: as long as the page is open. */
let inOrder = false;

/** @param {Train} train */
const ranked = (train) => (inOrder ? train.cars : [...train.cars].sort((a, b) => b.waiting - a.waiting || b.probability - a.probability || b.score - a.score));

/** @param {{scan: number, name: string | null}} scan */
const called = ({ scan, name }) => name ?? t('trains.number', { n: scan });

/** What people and portals do meanwhile is shown as it comes. @typedef {{stop: () => void, news: (item: import('./server.js').Item | null) => void}} Shown */

/** Once for all that is asked for within a quarter of a second: a train of a hundred cars is news a hundred times. @param {() => void} act */
function soon(act) {
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  let timer;
  return () => {
    timer ??= setTimeout(() => {
      timer = undefined;
      act();
    }, 250);
  };
}

/** @param {import('./car.js').Frame} page @returns {Shown & {element: HTMLElement}} */
export function trains(page) {
  const [, scan, position] = location.hash.split('/');
  const element = h('div', { class: 'trains' });
  /** @param {unknown} error */
  const failed = (error) => fill(element, h('div', { class: 'sheet' }, h('h1', {}, t('trains.title')), h('p', { class: 'alarm', role: 'alert' }, t('problem', { why: error instanceof Error ? error.message : String(error) }))));
  let gone = false;
  /** @type {Shown} */
  let shown = { stop: () => (gone = true), news() {} };
  if (!scan) shown = list(element, failed);
  else {
    get(`/v1/scans/${encodeURIComponent(scan)}/cars`).then((/** @type {Train} */ train) => {
      if (gone) return;
      if (!position) shown = thumbnails(element, train);
      else {
        const car = new Car(page, train, ranked(train).map((car) => car.position), Number(position));
        fill(element, car.element);
        shown = { stop: () => car.stop(), news: (item) => void car.news(item) };
      }
    }, failed);
  }
  return { element, stop: () => shown.stop(), news: (item) => shown.news(item) };
}

/** All scans. @param {HTMLElement} element @param {(error: unknown) => void} failed @returns {Shown} */
function list(element, failed) {
  const draw = async () => {
    const { scans } = await get('/v1/scans?limit=50', true);
    fill(element, h('div', { class: 'sheet' },
      h('h1', {}, t('trains.title')),
      scans.length === 0 ? h('p', {}, t('trains.none')) : table(t('trains.title'), [t('trains.train'), t('trains.portal'), t('trains.time'), t('trains.state'), t('trains.cars'), t('trains.waiting')],
        scans.map((/** @type {any} */ scan) => [
          h('a', { href: `#trains/${scan.scan}` }, called(scan)), scan.portal, time(scan.received_ms),
          [t(`scan.${scan.state}`), scan.cut_short || scan.error ? `: ${scan.cut_short ?? scan.error}` : ''], number(scan.cars),
          scan.waiting > 0 ? h('strong', { class: 'flag supervisor' }, number(scan.waiting)) : '0',
        ]))));
  };
  const show = () => draw().catch(failed);
  const again = () => element.isConnected && !element.contains(document.activeElement) && void show();
  const heard = soon(again);
  void show();
  const timer = setInterval(again, 10_000);
  return { stop: () => clearInterval(timer), news: (item) => void (item?.car && heard()) };
}

/** One train's cars as pictures. @param {HTMLElement} element @param {Train} train @returns {Shown} */
function thumbnails(element, train) {
  const cards = h('ol', { class: 'cars' });
  const order = h('button', { onclick: () => { inOrder = !inOrder; draw(); } });
  const draw = () => {
    const on = cards.contains(document.activeElement) ? document.activeElement?.getAttribute('href') : null;
    fill(order, t(inOrder ? 'trains.ranked' : 'trains.inorder'), ' ', h('kbd', {}, 's'));
    fill(cards, ...ranked(train).map((car) => h('li', {},
      h('a', { href: `#trains/${train.scan}/${car.position}`, class: car.waiting > 0 ? 'card waits' : 'card' },
        train.pictures ? h('img', { src: `/v1/scans/${train.scan}/cars/${car.position}/thumbnail`, alt: t('trains.picture', { n: car.position }), loading: 'lazy' }) : null,
        h('span', { class: 'block' }, h('strong', {}, `${car.position} · ${car.mark ?? t('trains.nomark')}`), ` · ${t(`carkind.${car.kind}`)}`),
        h('span', { class: 'block small' },
          car.waiting > 0 ? h('span', { class: 'flag supervisor' }, `▲ ${t('trains.look', { n: number(car.waiting) })}`) : null,
          car.hits?.length ? h('span', { class: 'flag supervisor' }, t('trains.sought')) : null,
          car.error ? car.error : t('trains.facts', { findings: number(car.findings), empty: percent(car.empty_probability), limited: percent(car.penetration_limited) }))))));
    // Whoever goes through them by keyboard stays where they are.
    if (on) [...cards.querySelectorAll('a')].find((link) => link.getAttribute('href') === on)?.focus();
  };
  draw();
  let gone = false;
  let asked = 0;
  const again = () => {
    const turn = (asked += 1);
    void get(`/v1/scans/${train.scan}/cars`, true).then((now) => {
      if (gone || turn !== asked || JSON.stringify(now) === JSON.stringify(train)) return;
      Object.assign(train, now);
      fill(about, ...said());
      draw();
    }, () => {});
  };
  const heard = soon(() => gone || again());
  // Cars in which nothing was found come without news while a train passes.
  const timer = setInterval(() => train.state === 'inspected' || train.state === 'bad' || again(), 3_000);
  const said = () => [`${train.portal} · ${time(train.received_ms)} · ${t(`scan.${train.state}`)} · ${t('trains.count', { n: number(train.cars.length) })} `, order];
  const about = h('p', {}, ...said());
  fill(element, h('div', { class: 'sheet' },
    h('p', { class: 'crumbs' }, h('a', { href: '#trains' }, t('trains.title')), ' › ', called(train)),
    h('h1', {}, called(train)),
    about,
    train.cut_short ? h('p', { class: 'alarm' }, train.cut_short) : null,
    train.error ? h('p', { class: 'alarm' }, train.error) : null,
    cards));
  /** @param {1 | -1} step */
  const move = (step) => {
    const links = [...cards.querySelectorAll('a')];
    const at = links.findIndex((link) => link === document.activeElement);
    links[Math.min(links.length - 1, Math.max(0, at + step))]?.focus();
  };
  bind([
    { key: 'j', words: 'key.nextcar', repeats: true, act: () => move(1) },
    { key: 'k', words: 'key.previouscar', repeats: true, act: () => move(-1) },
    { key: 's', words: 'key.order', act: () => { inOrder = !inOrder; draw(); } },
    { key: 'Escape', words: 'key.up', act: () => { location.hash = '#trains'; } },
  ]);
  const stop = () => {
    gone = true;
    clearInterval(timer);
    unbind(['j', 'k', 's', 'Escape']);
  };
  return { stop, news: (item) => void ((!item || item.car?.scan === train.scan) && heard()) };
}
