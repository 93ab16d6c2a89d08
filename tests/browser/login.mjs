// The page where people log in, in both languages and lights; and sounds by severity, with what whoever does not hear them sees.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { PASSWORD, accessible, close, launch, painted, screen, serving, shot, whole } from './drive.mjs';

before(() => launch());
after(close);

test('logging in: no violation in any light, by keyboard alone, and what is wrong is said', () => serving('login', async (server) => {
  for (const locale of ['en-US', 'es-MX']) {
    for (const zoom of [1, 2]) {
      const { page, quiet, close } = await screen(server, { hash: 'login', locale, zoom });
      await page.waitForFunction(() => document.activeElement?.id === 'id');
      for (const colorScheme of ['dark', 'light']) {
        await page.emulateMedia({ colorScheme });
        const what = `login-${locale.slice(0, 2)}-${colorScheme}${zoom === 2 ? '-200' : ''}`;
        const text = await page.evaluate(() => document.body.innerText);
        for (const said of ['Password', 'Contraseña', 'Log in', 'Entrar']) assert.ok(text.includes(said), `${what}: ${said}`);
        await shot(page, what);
        await whole(page, what);
        await accessible(page, what);
      }
      quiet();
      await close();
    }
  }
  const first = (await readFile(path.join(path.dirname(server.site), 'data/first-password'), 'utf8')).trim();
  const { page, close, tolerate } = await screen(server, { hash: 'login' });
  await page.waitForFunction(() => document.activeElement?.id === 'id');
  tolerate();
  await page.keyboard.type('admin');
  await page.keyboard.press('Tab');
  await page.keyboard.type('not that');
  await page.keyboard.press('Enter');
  await page.waitForFunction(() => document.querySelector('[role="alert"]')?.textContent?.includes('wrong'));
  await shot(page, 'login-wrong');
  await accessible(page, 'login, wrong');
  await page.locator('#password').fill(first);
  await page.keyboard.press('Enter');
  // It was good once: another one is asked for.
  await page.waitForFunction(() => document.activeElement?.id === 'new');
  await shot(page, 'login-own');
  await accessible(page, 'login, own password');
  await page.keyboard.type(PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForURL(`${server.url}/`);
  await painted(page);
  await close();
}));

/** Stands in for the browser's sound: tells which pitches were played. */
function listens() {
  globalThis.heard = [];
  globalThis.AudioContext = class { currentTime = 0; destination = {}; };
  globalThis.GainNode = class { connect(to) { return to; } };
  globalThis.OscillatorNode = class {
    constructor(_, { frequency }) { this.frequency = frequency; }
    connect(to) { return to; }
    start() { globalThis.heard.push(this.frequency); }
    stop() {}
  };
}

test('a hit sounds by its severity once sounds are on, and is seen either way', () => serving('sounds', async (server) => {
  const { page, quiet, close, context } = await screen(server);
  await context.addInitScript(listens);
  await page.reload();
  await painted(page);
  const heard = () => page.evaluate(() => globalThis.heard.splice(0));
  const play = (severity) => page.evaluate(async (severity) => (await import('/web/sound.js')).play(severity), severity);
  const pressed = () => page.locator('.tools [aria-pressed]').getAttribute('aria-pressed');
  // Off until somebody turns them on.
  await play('critical');
  assert.deepEqual([await pressed(), await heard()], ['false', []]);
  await page.keyboard.press('m');
  assert.deepEqual([await pressed(), (await heard()).length], ['true', 1]);
  // The more urgent, the more and the higher.
  const tones = {};
  for (const severity of ['low', 'medium', 'high', 'critical']) {
    await play(severity);
    tones[severity] = await heard();
  }
  const order = Object.values(tones);
  for (let at = 1; at < order.length; at += 1) {
    assert.ok(order[at].length >= order[at - 1].length && Math.max(...order[at]) > Math.max(...order[at - 1]), JSON.stringify(tones));
  }
  // A real one, urgent.
  const frame = await readFile(path.join(process.env.GARITA_FRAMES, 'single-0000.jpg'));
  const posted = await fetch(`${server.url}/v1/lanes/south-1/frames`, { method: 'POST', body: frame, headers: { 'content-type': 'image/jpeg', 'idempotency-key': 'a loud one' } });
  assert.equal(posted.status, 201, await posted.text());
  await page.waitForSelector('.new:not([hidden])');
  await page.waitForFunction(() => globalThis.heard.length > 0);
  assert.deepEqual(await heard(), tones.critical);
  assert.match(await page.locator('.new').textContent(), /1 new.*CRITICAL/);
  // And off again: seen alone.
  await page.keyboard.press('m');
  await play('critical');
  assert.deepEqual([await pressed(), await heard()], ['false', []]);
  quiet();
  await close();
}));
