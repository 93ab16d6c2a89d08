// The frame around everything: which page is shown, how alive the screen is, language, light, sound, the idle lock.

import { fill, h } from './dom.js';
import { help, keys } from './help.js';
import { bind } from './keys.js';
import { Live } from './live.js';
import { Review } from './review.js';
import { ask, get } from './server.js';
import { sounds, toggle } from './sound.js';
import { LANGUAGES, chosen, has, ofDay, speak, spoken, t } from './words.js';

/** A screen that nobody touched for this long is locked. */
const IDLE_MS = 30 * 60_000;

const OFFICERS = ['operator', 'supervisor', 'auditor', 'admin'];

/** What a page is: `news` tells it of a case that is new or has changed, or of all of them.
 * @typedef {{element: HTMLElement, stop: () => void, news?: (item: import('./server.js').Item | null) => void}} Sheet */

/** Pages: address, letter of the chord `g` + letter, whose it is (the server decides, this only spares a refusal), what makes it. The queue is always there
 * behind them.
 * @type {{name: string, letter: string, roles: string[] | null, make: null | ((page: Page) => Sheet)}[]} */
const PAGES = [
  { name: 'queue', letter: 'q', roles: OFFICERS, make: null },
  { name: 'trains', letter: 'r', roles: OFFICERS, make: later(() => import('./trains.js').then((made) => made.trains)) },
  { name: 'search', letter: 's', roles: OFFICERS, make: later(() => import('./search.js').then((made) => made.search)) },
  { name: 'lists', letter: 'l', roles: null, make: later(() => import('./lists.js').then((made) => made.lists)) },
  { name: 'health', letter: 'h', roles: null, make: later(() => import('./health.js').then((made) => made.health)) },
  { name: 'accuracy', letter: 'a', roles: OFFICERS, make: later(() => import('./accuracy.js').then((made) => made.accuracy)) },
  { name: 'audit', letter: 't', roles: ['auditor', 'admin'], make: later(() => import('./audit.js').then((made) => made.audit)) },
  { name: 'people', letter: 'u', roles: ['admin'], make: later(() => import('./people.js').then((made) => made.people)) },
  { name: 'help', letter: '?', roles: null, make: help },
];

/** A page that is fetched when somebody wants it: who judges plates does not wait for it.
 * @param {() => Promise<(page: Page) => Sheet>} fetched @returns {(page: Page) => Sheet} */
function later(fetched) {
  return (page) => {
    const element = h('div', { class: 'later' });
    let gone = false;
    let stop = () => { gone = true; };
    /** @type {Sheet['news']} */
    let news;
    fetched().then((make) => {
      if (gone) return;
      const made = make(page);
      fill(element, made.element);
      stop = made.stop;
      news = made.news;
      if (named() === 'search') element.querySelector('input')?.focus();
    }, (error) => fill(element, h('p', { class: 'alarm', role: 'alert' }, t('problem', { why: error.message }))));
    return { element, stop: () => stop(), news: (item) => news?.(item) };
  };
}

/** The page that the address names; what follows it there is the page's own. */
const named = () => location.hash.slice(1).split('/')[0] ?? '';

class Page {
  constructor() {
    this.review = new Review(this);
    this.title = h('a', { class: 'site', href: '#queue' });
    this.nav = h('nav');
    this.alive = h('p', { class: 'alive', role: 'status' });
    this.tools = h('div', { class: 'tools' });
    this.banner = h('div', { class: 'banner', role: 'alert', hidden: true });
    this.demo = h('p', { class: 'demo', hidden: true });
    this.said = h('p', { class: 'said', 'aria-live': 'polite' });
    this.message = h('p', { class: 'message', hidden: true, role: 'alert' });
    this.main = h('main', { id: 'main', tabindex: -1 });
    this.keysDialog = h('dialog', { class: 'keys', onclose: () => this.main.focus() });
    this.lockDialog = h('dialog', { class: 'lock', oncancel: (/** @type {Event} */ event) => event.preventDefault() });
    /** @type {Sheet | null} */
    this.sheet = null;
    /** @type {import('./live.js').Liveness | null} */
    this.liveness = null;
    this.site = 'garita';
    this.isDemo = false;
    /** Whether somebody has to log in here. */
    this.login = false;
    this.touched = Date.now();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.quiet = undefined;
    document.body.replaceChildren(
      h('a', { class: 'skip', href: '#main', onclick: (/** @type {Event} */ event) => { event.preventDefault(); this.main.focus(); } }),
      h('header', { class: 'top' }, this.title, this.nav, this.alive, this.tools),
      this.banner, this.demo, this.message, this.main, this.said, this.keysDialog, this.lockDialog);
    this.live = new Live({
      onitem: (item) => {
        this.review.put(item);
        this.sheet?.news?.(item);
      },
      ongone: (id) => this.review.gone(id),
      onall: (answer) => {
        this.site = answer.site;
        this.isDemo = answer.demo;
        this.review.all(answer);
        this.words();
        this.sheet?.news?.(null);
      },
      onliveness: (liveness) => {
        this.liveness = liveness;
        this.drawLiveness();
      },
    });
    for (const kind of ['keydown', 'pointermove', 'pointerdown']) document.addEventListener(kind, () => (this.touched = Date.now()), { passive: true, capture: true });
    setInterval(() => Date.now() - this.touched > IDLE_MS && this.lock(), 5_000);
    window.addEventListener('hashchange', () => this.route());
    window.addEventListener('garita-logged-out', () => void this.whoAmI());
    bind([
      { key: '?', words: 'key.keys', act: () => this.showKeys() },
      ...PAGES.filter((page) => page.letter !== '?').map((page) => ({ key: `g${page.letter}`, words: `nav.${page.name}`, act: () => { location.hash = `#${page.name}`; } })),
      { key: '/', words: 'key.search', act: () => { location.hash = '#search'; } },
      { key: 'l', words: 'key.language', act: () => void this.language() },
      { key: 't', words: 'key.theme', act: () => this.theme() },
      { key: 'm', words: 'key.sound', act: () => { toggle(); this.words(); } },
    ]);
  }

  async start() {
    await this.whoAmI();
    this.words();
    this.route();
    if (this.judges()) await this.live.start();
  }

  /** Keeps language and light with the person, who may sit somewhere else tomorrow. */
  keep() {
    if (this.login) void ask('PUT', '/v1/session/settings', { language: spoken(), theme: document.documentElement.dataset['theme'] }).catch(() => {});
  }

  /** Whether this person has a queue at all. */
  judges() {
    return OFFICERS.includes(this.review.me.role);
  }

  /** Whose session this is; whoever has none has to log in, and whose session is locked has to open it. */
  async whoAmI() {
    const session = await get('/v1/session', true).catch(() => null);
    if (!session) return;
    this.login = session.login;
    if (session.person) this.review.me = session.person;
    const { language, theme } = session.settings ?? {};
    if (language && language !== spoken() && LANGUAGES.includes(language)) await speak(language);
    if (theme === 'dark' || theme === 'light') this.light(theme);
    if (session.locked) this.lock();
    else if (session.login && (!session.person || session.must_change)) location.assign('/login');
  }

  route() {
    const name = named() || (this.judges() ? 'queue' : 'health');
    const page = PAGES.find((one) => one.name === name) ?? PAGES[0];
    this.sheet?.stop();
    this.sheet = page?.make ? page.make(this) : null;
    if (this.sheet) this.review.unkeys();
    else this.review.keys();
    fill(this.main, this.sheet?.element ?? this.review.element);
    this.drawNav();
    document.title = `${t(`nav.${page?.name ?? 'queue'}`)} · ${this.site}`;
    if (!this.sheet) this.review.queue.draw();
  }

  /** Everything that is said, in the language of now. */
  words() {
    const skip = document.querySelector('.skip');
    if (skip) fill(skip, t('skip'));
    fill(this.title, this.site);
    this.nav.setAttribute('aria-label', t('nav.title'));
    this.drawNav();
    fill(this.tools,
      h('button', { onclick: () => void this.language(), lang: spoken() === 'en' ? 'es' : 'en' }, spoken() === 'en' ? 'Español' : 'English', ' ', h('kbd', {}, 'l')),
      h('button', { onclick: () => this.theme() }, t(document.documentElement.dataset['theme'] === 'light' ? 'theme.dark' : 'theme.light'), ' ', h('kbd', {}, 't')),
      h('button', { 'aria-pressed': String(sounds()), onclick: () => { toggle(); this.words(); } }, t(sounds() ? 'sound.on' : 'sound.off'), ' ', h('kbd', {}, 'm')),
      h('button', { onclick: () => this.showKeys() }, t('nav.keys'), ' ', h('kbd', {}, '?')),
      h('span', { class: 'me' }, this.review.me.name ? `${this.review.me.name} · ${this.role()}` : ''));
    this.demo.hidden = !this.isDemo;
    fill(this.demo, h('strong', {}, t('demo.title')), ' ', t('demo.text'));
    this.review.words();
    this.drawLiveness();
  }

  role() {
    const { role } = this.review.me;
    return has(`role.${role}`) ? t(`role.${role}`) : role;
  }

  drawNav() {
    const now = named() || (this.judges() ? 'queue' : 'health');
    const { role } = this.review.me;
    fill(this.nav, ...PAGES.filter((page) => !page.roles || page.roles.includes(role)).map((page) => h('a', { href: `#${page.name}`, 'aria-current': page.name === now ? 'page' : null }, t(`nav.${page.name}`))));
  }

  drawLiveness() {
    const { liveness } = this;
    if (!liveness) return;
    const stale = liveness.state === 'stale';
    const time = ofDay(liveness.since_ms);
    this.alive.className = `alive ${liveness.state}`;
    fill(this.alive, t(`alive.${liveness.state}`, { time }));
    document.body.classList.toggle('stale', stale);
    const why = stale ? t('alive.banner', { time }) : liveness.notReady.length ? t('alive.notready', { why: liveness.notReady.join('; ') }) : '';
    this.banner.hidden = why === '';
    this.banner.classList.toggle('stale', stale);
    if (this.banner.textContent !== why) fill(this.banner, why);
  }

  /** Says something, for whoever looks and whoever listens. @param {string} text @param {boolean} [urgent] */
  say(text, urgent = false) {
    if (!urgent) {
      fill(this.said, text);
      return;
    }
    fill(this.message, text);
    this.message.hidden = text === '';
    clearTimeout(this.quiet);
    this.quiet = setTimeout(() => (this.message.hidden = true), 6_000);
  }

  async language() {
    await speak(LANGUAGES[(LANGUAGES.indexOf(spoken()) + 1) % LANGUAGES.length] ?? 'en');
    this.keep();
    this.words();
    this.review.evidence.case && void this.review.refresh(this.review.evidence.case.item.id);
    this.route();
  }

  theme() {
    this.light(document.documentElement.dataset['theme'] === 'light' ? 'dark' : 'light');
    this.keep();
    this.words();
  }

  /** @param {'dark' | 'light'} theme */
  light(theme) {
    document.documentElement.dataset['theme'] = theme;
    localStorage.setItem('garita.theme', theme);
  }

  showKeys() {
    this.keysDialog.setAttribute('aria-label', t('help.keys'));
    fill(this.keysDialog, h('form', { method: 'dialog' }, h('button', { autofocus: true }, t('close')), keys()));
    this.keysDialog.showModal();
  }

  /** Nothing can be read or done until somebody is there again, and proves it where people log in; a claim runs out by itself. */
  lock() {
    if (this.lockDialog.open) return;
    void this.review.release();
    this.live.stop();
    this.keysDialog.close();
    const password = h('input', { id: 'lock-password', type: 'password', autocomplete: 'current-password', required: true });
    const code = h('input', { id: 'lock-code', inputmode: 'numeric', autocomplete: 'one-time-code', maxlength: 6 });
    const told = h('p', { role: 'alert' });
    const open = () => {
      this.touched = Date.now();
      this.lockDialog.close();
      if (this.judges()) void this.live.start();
    };
    const unlock = async (/** @type {Event} */ event) => {
      event.preventDefault();
      try {
        if (this.login) await ask('POST', '/v1/session/unlock', { password: password.value, code: code.value || undefined });
        open();
      } catch (error) {
        fill(told, t('lock.failed', { why: error instanceof Error ? error.message : String(error) }));
      }
    };
    const leave = async () => {
      await ask('DELETE', '/v1/session').catch(() => {});
      location.assign('/login');
    };
    this.lockDialog.setAttribute('aria-label', t('lock.title'));
    fill(this.lockDialog,
      h('h1', {}, t('lock.title')), h('p', {}, t('lock.text')),
      h('form', { onsubmit: unlock },
        this.login ? h('p', { class: 'field' }, h('label', { for: 'lock-password' }, t('lock.password')), password) : null,
        this.login ? h('p', { class: 'field' }, h('label', { for: 'lock-code' }, t('lock.code')), code) : null,
        told,
        h('button', { class: 'confirm' }, t('lock.go')), ' ',
        this.login ? h('button', { type: 'button', onclick: () => void leave() }, t('lock.out')) : null));
    this.lockDialog.showModal();
  }
}

document.documentElement.dataset['theme'] = localStorage.getItem('garita.theme') ?? 'dark';
await speak(chosen());
const page = new Page();
await page.start();
