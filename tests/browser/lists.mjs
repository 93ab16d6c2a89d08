// New versions of lists on the page: one person proposes, sees what it would change and cannot activate it; a second one does, or refuses, by keyboard alone.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { accessible, close, launch, logIn, screen, serving, shot, whole } from './drive.mjs';

before(() => launch());
after(close);

const HOSTILE = '<img src=x onerror=window.pwned=1><script>window.pwned=1</script>';
const HEAD = 'plate,jurisdiction,list,priority,reason,two_person\n';
/** One entry as before, one changed, one new. */
const NEW = `${HEAD}XPX802H,MX-TAM,wanted,0,warrant,yes\n076CHZ,US-KS,stolen,1,${HOSTILE},\nBBB001,US-CA,stolen,50,new,\n`;

test('a new version of a list: shown, proposed, activated by a second person', () => serving('managers', async (server) => {
  const first = (await readFile(path.join(path.dirname(server.site), 'data/first-password'), 'utf8')).trim();
  const admin = await screen(server, { login: (context) => logIn(context, server, 'admin', first) });
  const headers = { origin: server.url };
  const as = async (id, more = {}) => {
    const made = await admin.context.request.post(`${server.url}/v1/people`, { headers, data: { id, role: 'list-manager' } });
    const { password } = await made.json();
    return screen(server, { hash: '#lists', login: (context) => logIn(context, server, id, password), ...more });
  };
  const [ann, bob] = [await as('ann'), await as('bob', { locale: 'es-MX' })];

  /** Ann gives a file, by keyboard but for the system's own dialog. */
  const propose = async (text, note) => {
    await ann.page.waitForSelector('#propose-file');
    await ann.page.locator('#propose-file').setInputFiles({ name: 'list.csv', mimeType: 'text/csv', buffer: Buffer.from(text) });
    await ann.page.locator('#propose-note').focus();
    await ann.page.keyboard.type(note);
    await ann.page.keyboard.press('Enter');
  };
  await propose(NEW, 'weekly update');
  const own = ann.page.locator('.proposal');
  await own.waitFor();
  const text = await own.textContent();
  for (const said of ['1 added, 0 removed, 1 changed, 1 as before, 0 bad lines', 'weekly update', 'BBB001', HOSTILE, 'somebody else activates it']) assert.ok(text.includes(said), `${said}: ${text}`);
  assert.equal(await own.locator('button', { hasText: 'Activate' }).count(), 0);
  assert.equal(await own.locator('button', { hasText: 'Take back' }).count(), 1);
  assert.equal(await ann.page.evaluate(() => globalThis.pwned), undefined);
  await shot(ann.page, 'lists-proposed');
  await whole(ann.page, 'lists proposed');
  await accessible(ann.page, 'lists proposed');
  // Nor by hand.
  const { proposals: [{ id }] } = await (await ann.context.request.get(`${server.url}/v1/proposals`)).json();
  const refused = await ann.context.request.post(`${server.url}/v1/proposals/${id}/activation`, { headers });
  assert.deepEqual([refused.status(), (await refused.json()).title], [409, 'Second person']);

  // The second person, in Spanish, with the keyboard: the page comes by itself.
  const others = bob.page.locator('.proposal');
  await others.waitFor();
  await shot(bob.page, 'lists-second-person');
  await whole(bob.page, 'lists, second person');
  await accessible(bob.page, 'lists, second person');
  await others.locator('button', { hasText: 'Activar' }).focus();
  await bob.page.keyboard.press('Enter');
  await bob.page.waitForFunction(() => document.querySelector('.sheet > [role="status"]')?.textContent?.includes('está vigente'));
  await bob.page.waitForFunction(() => document.querySelector('.sheet table')?.textContent?.includes('sought3'));
  await bob.page.waitForFunction(() => !document.querySelector('.proposal'));
  await shot(bob.page, 'lists-activated');
  await accessible(bob.page, 'lists activated');

  // Another one is refused, with a reason that its proposer reads.
  await ann.page.waitForFunction(() => !document.querySelector('.proposal'));
  await propose(`${HEAD}XPX802H,MX-TAM,wanted,0,warrant,yes\n`, 'by mistake');
  await others.waitFor();
  await others.locator('input').focus();
  await bob.page.keyboard.type('where are the stolen ones');
  await bob.page.keyboard.press('Enter');
  await ann.page.waitForFunction(() => document.querySelector('.sheet')?.textContent?.includes('refused: where are the stolen ones'));
  // A file that is no list says why, and nothing waits.
  ann.tolerate();
  await propose('no,list\n1,2\n', '');
  await ann.page.waitForFunction(() => document.querySelector('.sheet > .alarm')?.textContent?.includes('column'));
  assert.equal(await own.count(), 0);
  // Who has no queue hears nothing of it, and their screen is not stale for that.
  for (const who of [ann, bob]) assert.ok(await who.page.locator('.banner').isHidden());
  for (const who of [bob, admin]) who.quiet();
  for (const who of [ann, bob, admin]) await who.close();
}));
