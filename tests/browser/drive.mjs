// What the tests of the page share: the server as a process, the browser, a page that tolerates no error, axe, pictures.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const require = createRequire(import.meta.url);
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
export const sites = JSON.parse(process.env.GARITA_SITES ?? '{}');
const shots = process.env.GARITA_SHOTS ?? '.';

/** The real server of a site. */
export class Server {
  constructor(site) {
    this.site = sites[site] ?? site;
  }

  async start(listen = '127.0.0.1:0') {
    this.process = spawn(process.env.GARITA, ['serve', '--site', this.site], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, GARITA_LISTEN: listen } });
    let said = '';
    for await (const chunk of this.process.stdout) {
      said += chunk;
      const found = said.match(/http:\/\/([^/\s]+)/);
      if (found) {
        this.address = found[1];
        this.url = `http://${found[1]}`;
        this.process.stdout.resume();
        return this;
      }
    }
    throw new Error(`no address in ${said}`);
  }

  async kill() {
    if (!this.process || this.process.exitCode !== null || this.process.signalCode !== null) return;
    this.process.kill('SIGKILL');
    await once(this.process, 'exit');
  }

  async again() {
    const { address } = this;
    await this.kill();
    return this.start(address);
  }
}

let browser;

/** @param {string[]} graphics */
export async function launch(graphics = ['--disable-gpu']) {
  browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: ['--no-sandbox', ...graphics] });
}

export async function close() {
  await browser?.close();
}

/** A page of its own, as one person's screen; every error in its console is collected, and `quiet()` says that there was none. */
export async function screen(server, { width = 1366, height = 768, locale = 'en-US', hash = '', login = null, zoom = 1, clock = false } = {}) {
  const context = await browser.newContext({ viewport: { width: Math.round(width / zoom), height: Math.round(height / zoom) }, deviceScaleFactor: zoom, locale, timezoneId: 'America/Tijuana' });
  const page = await context.newPage();
  const errors = [];
  let expected = false;
  page.on('console', (message) => message.type() === 'error' && !expected && errors.push(`${message.text()} (${message.location().url})`));
  page.on('pageerror', (error) => errors.push(String(error)));
  page.on('dialog', (dialog) => {
    errors.push(`a dialog: ${dialog.message()}`);
    void dialog.dismiss();
  });
  // For whoever works on the page: its files from this folder, and not from the executable, so that nothing has to be built.
  if (process.env.GARITA_WEB) {
    await context.route('**/web/*', async (route) => {
      const served = await route.fetch();
      const name = path.basename(new URL(route.request().url()).pathname);
      const contentType = { '.js': 'text/javascript', '.json': 'application/json', '.css': 'text/css' }[path.extname(name)] ?? served.headers()['content-type'];
      await route.fulfill({ response: served, status: 200, contentType, body: readFileSync(path.join(process.env.GARITA_WEB, name)) });
    });
  }
  if (login) await login(context, server);
  if (clock) await context.clock.install();
  await page.goto(`${server.url}/${hash}`);
  return {
    page,
    context,
    /** From here on a server that does not answer is meant. */
    tolerate: (yes = true) => (expected = yes),
    quiet: () => assert.deepEqual(errors, []),
    close: async () => {
      await context.unrouteAll({ behavior: 'ignoreErrors' });
      await context.close();
    },
  };
}

/** Waits until the evidence of the chosen case has painted; answers its plate. */
export async function painted(page) {
  await page.waitForFunction(() => {
    const state = document.querySelector('.painting');
    const evidence = document.querySelector('.evidence');
    const canvas = document.querySelector('.crop');
    return state?.hidden && !evidence?.hidden && canvas instanceof HTMLCanvasElement && canvas.width > 8;
  });
  return page.locator('.row[aria-selected="true"] .plate').textContent();
}

/** No violation of WCAG 2.2 AA, nor of axe's best practices. */
export async function accessible(page, what) {
  await page.evaluate(axe);
  const found = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
  const told = found.violations.map((one) => `${one.id}: ${one.help}: ${one.nodes.slice(0, 3).map((node) => `${node.target.join(' ')} ${node.failureSummary}`).join(' | ')}`);
  assert.deepEqual(told, [], what);
}

export async function shot(page, name) {
  await page.screenshot({ path: path.join(shots, `${name}.png`) });
}

/** Nothing on the page that the languages lack, and nothing wider than the screen. */
export async function whole(page, what) {
  const text = await page.evaluate(() => document.body.innerText);
  assert.ok(!text.includes('⟦'), `${what}: a word is missing`);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  assert.ok(wide <= 0, `${what}: ${wide} pixels too wide`);
}

export const asleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

export function quantile(values, share) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)];
}

/** @param {string} site @param {(server: Server) => Promise<void>} act */
export async function serving(site, act) {
  const server = await new Server(site).start();
  try {
    await act(server);
  } finally {
    await server.kill();
  }
}

export const PASSWORD = 'correct horse battery staple';

/** Somebody logs in, and sets a password where theirs was good once; answers the request context of a browser. */
export async function logIn(context, server, id, password) {
  const headers = { origin: server.url };
  const answer = await context.request.post(`${server.url}/v1/session`, { headers, data: { id, password } });
  assert.ok(answer.ok(), await answer.text());
  if (!(await answer.json()).must_change) return;
  const set = await context.request.post(`${server.url}/v1/session/password`, { headers, data: { new: PASSWORD } });
  assert.ok(set.ok(), await set.text());
}

/** What the server answers to whoever needs no login. */
export async function ask(server, method, route, body, headers = {}) {
  const answer = await fetch(`${server.url}${route}`, { method, headers, body });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${route}: ${answer.status} ${text}`);
  return text ? JSON.parse(text) : null;
}

/** Waits until a car's pixels, and its thicknesses, are on the screen. */
export async function seen(page) {
  await page.waitForSelector('.viewer .stage[data-level][data-hatch] canvas.pixels');
  await page.waitForSelector('.viewer .aside h2');
}

/** The pixels of the first pane, as they stand on the screen. */
export const picture = (page) => page.evaluate(async () => {
  await new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve)));
  const canvas = document.createElement('canvas');
  const shown = document.querySelector('.pane .pixels');
  Object.assign(canvas, { width: shown.width, height: shown.height });
  const context = canvas.getContext('2d');
  context.drawImage(shown, 0, 0);
  const over = document.querySelector('.pane .over');
  context.drawImage(over, 0, 0);
  const digest = await crypto.subtle.digest('SHA-256', context.getImageData(0, 0, canvas.width, canvas.height).data);
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
});

/** As `picture`, once it changes no more. */
export async function steady(page) {
  for (let last = await picture(page); ;) {
    const next = await picture(page);
    if (next === last) return next;
    last = next;
  }
}
