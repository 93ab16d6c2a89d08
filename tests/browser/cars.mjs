// Cars as cases in Chromium: a train that still passes, two energies, two officers for one car, a second person who is not the first, a chosen finding in sight.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { accessible, ask, asleep, close, launch, logIn, screen, seen, serving, shot, steady, whole } from './drive.mjs';

before(() => launch());
after(close);

/** What `rendered` of browser.rs put beside the site file. */
const beside = (server, name) => readFile(path.join(path.dirname(server.site), name));

/** Posts the train of two energies, and waits until `told`, which answers its JSON, says that it was inspected. */
async function dual(server, told) {
  const { scan } = await ask(server, 'POST', '/v1/portals/bridge/scans', await beside(server, 'dual.tif'), { 'idempotency-key': 'two energies' });
  while ((await told(scan)).state !== 'inspected') await asleep(100);
  return scan;
}

const chosenRow = (page) => page.locator('.row[aria-selected="true"]');

test('cars of a passing train come to the queue and to the train while it grows', () => serving('portal', async (server) => {
  const truth = JSON.parse(await beside(server, 'passing/S-65.json'));
  const [head, columns] = [await beside(server, 'passing.head'), await beside(server, 'passing.columns')];
  const begun = await fetch(`${server.url}/v1/portals/bridge/columns`, { method: 'POST', headers: { 'idempotency-key': 'train 9', 'upload-complete': '?0' }, body: head });
  assert.equal(begun.status, 201);
  const upload = begun.headers.get('location');
  // Of one column: counts and its row of the table.
  const width = 2 * JSON.parse(head).detectors + 32;
  let sent = 0;
  /** Columns up to this one. */
  const passes = async (column, last = false) => {
    const to = Math.min(columns.length, Math.round(column) * width);
    const headers = { 'content-type': 'application/partial-upload', 'upload-offset': String(head.length + sent), 'upload-complete': last ? '?1' : '?0' };
    const answer = await fetch(`${server.url}${upload}`, { method: 'PATCH', headers, body: columns.subarray(sent, to) });
    assert.ok(answer.ok, `${answer.status} ${await answer.text()}`);
    sent = to;
  };
  const state = async () => (await ask(server, 'GET', '/v1/scans')).scans[0].state;
  const queue = await screen(server);
  await queue.page.waitForFunction(() => document.querySelector('.counts')?.textContent?.startsWith('0 waiting'));
  const train = await screen(server, { hash: '#trains' });
  await train.page.waitForSelector('.trains table a');
  assert.match(await train.page.locator('.trains table').textContent(), /train 9.*passing/);
  await train.page.locator('.trains table a').click();
  await train.page.waitForSelector('.crumbs');
  const cards = (count) => train.page.waitForFunction((count) => document.querySelectorAll('.card').length === count, count);
  await cards(0);
  // A car is one when its end is seen in the one that follows.
  const [, second, third] = truth.cars;
  await passes((second.columns[0] + second.columns[1]) / 2);
  await cards(1);
  assert.equal(await state(), 'passing');
  await train.page.keyboard.press('j');
  const first = await train.page.evaluate(() => document.activeElement?.getAttribute('href'));
  await passes((third.columns[0] + third.columns[1]) / 2);
  await cards(2);
  // Whoever stands on a card stands there still, and the one with something to judge is the first.
  assert.equal(await train.page.evaluate(() => document.activeElement?.getAttribute('href')), first);
  assert.match(await train.page.locator('.card').first().textContent(), /to judge/);
  await train.page.waitForFunction(() => [...document.querySelectorAll('.card img')].every((image) => image.complete && image.naturalWidth > 50));
  await shot(train.page, 'train-passing');
  await accessible(train.page, 'train passing');
  // The queue has it too, says that it passes, and opens it.
  await queue.page.waitForSelector('.row');
  assert.match(await chosenRow(queue.page).textContent(), /rail car\p{L}.*to judge.*bridge.*train 9.*passing/u);
  await queue.page.waitForFunction(() => document.querySelector('.car-place img') instanceof HTMLImageElement && document.querySelector('.car-place img').naturalWidth > 50);
  await shot(queue.page, 'queue-passing');
  await whole(queue.page, 'queue, passing');
  await accessible(queue.page, 'queue, passing');
  assert.equal(await state(), 'passing');
  await queue.page.keyboard.press('Enter');
  await seen(queue.page);
  await queue.page.waitForSelector('.findings li.chosen');
  await queue.page.waitForSelector('.row', { state: 'detached' });
  assert.match(await queue.page.locator('.aside .standing').textContent(), /undecided.*in your hand/);
  // One energy is all that this portal has.
  await queue.page.keyboard.press('E');
  assert.match(await queue.page.locator('.message').textContent(), /one energy/);
  assert.equal(await queue.page.locator('.bar [data-key="E"]').count(), 0);
  assert.equal(await state(), 'passing');
  // It has passed: the train says so, the car on the screen stays decidable, and the row says no longer that it passes.
  await passes(columns.length / width, true);
  await cards(3);
  await train.page.waitForFunction(() => document.querySelector('.sheet')?.textContent?.includes('inspected'));
  await queue.page.keyboard.press('g');
  await queue.page.keyboard.press('q');
  await queue.page.waitForFunction(() => { const row = document.querySelector('.row'); return row && !row.textContent?.includes('passing'); });
  for (const who of [queue, train]) {
    who.quiet();
    await who.close();
  }
}));

test('key E shows the low energy, the ratio, and the high energy again', () => serving('portal', async (server) => {
  const scan = await dual(server, (scan) => ask(server, 'GET', `/v1/scans/${scan}`));
  for (const [locale, low, ratio] of [['en-US', 'Low energy', 'Ratio of the energies'], ['es-MX', 'Energía baja', 'Cociente de las energías']]) {
    const { page, quiet, close } = await screen(server, { locale, hash: `#trains/${scan}/2` });
    const asked = new Set();
    page.on('request', (request) => asked.add(new URL(request.url()).searchParams.get('energy')));
    await seen(page);
    await page.waitForSelector('.findings li.chosen');
    await page.keyboard.press('f');
    // Marks lie over all three.
    await page.keyboard.press('q');
    const said = () => page.locator('.bar > .small').textContent();
    const pressed = () => page.locator('.bar [data-key="E"]').getAttribute('aria-pressed');
    const pictures = [await steady(page)];
    assert.equal(await pressed(), 'false');
    for (const [name, words] of [['low', low], ['ratio', ratio]]) {
      const come = page.waitForResponse((response) => response.url().includes(`energy=${name}`));
      await page.keyboard.press('E');
      await come;
      await asleep(300);
      pictures.push(await steady(page));
      assert.ok((await said()).includes(words), `${words}: ${await said()}`);
      assert.equal(await pressed(), 'true');
      await shot(page, `scan-energy-${name}-${locale.slice(0, 2)}`);
      await whole(page, name);
      await accessible(page, name);
    }
    assert.equal(new Set(pictures).size, 3, 'three different pictures');
    await page.keyboard.press('E');
    await asleep(300);
    assert.equal(await steady(page), pictures[0]);
    assert.equal(await pressed(), 'false');
    for (const energy of ['high', 'low', 'ratio']) assert.ok(asked.has(energy) || energy === 'high', energy);
    quiet();
    await close();
  }
}));

test('a chosen finding is in sight, and the scan has half of the height', () => serving('portal', async (server) => {
  const { scans } = await ask(server, 'GET', '/v1/scans');
  const { scan } = scans.find(({ name }) => name === 'two energies');
  const told = await ask(server, 'GET', `/v1/scans/${scan}/cars/2`);
  for (const [width, height, zoom, ...locales] of [[1366, 768, 1, 'en-US'], [1366, 768, 2, 'en-US', 'es-MX'], [1280, 800, 2, 'en-US'], [1280, 540, 1, 'es-MX']]) {
    for (const locale of locales) {
      const what = `${width} x ${height} at ${zoom}, ${locale}`;
      const { page, quiet, close } = await screen(server, { locale, width, height, zoom, hash: `#trains/${scan}/2` });
      await seen(page);
      await page.waitForSelector('.findings li.chosen');
      /** The part of an element that is on the screen, below the page's head. */
      const visible = (selector) => page.evaluate((selector) => {
        const [box, within] = [document.querySelector(selector).getBoundingClientRect(), document.querySelector('main').getBoundingClientRect()];
        return { height: Math.min(box.bottom, within.bottom) - Math.max(box.top, within.top), width: Math.min(box.right, within.right) - Math.max(box.left, within.left), top: box.top, bottom: box.bottom };
      }, selector);
      // As it opens: the scan, its tools and which car it is.
      const stage = await visible('.stage');
      assert.ok(stage.height >= (height / zoom) / 2, `${what}: ${stage.height} of ${height / zoom}`);
      assert.ok((await visible('.viewer h1')).height > 10 && (await visible('.bar')).height > 20, what);
      await whole(page, what);
      await shot(page, `scan-half-${width}x${height}-${locale.slice(0, 2)}${zoom === 2 ? '-200' : ''}`);
      for (let step = 0; step < told.told.findings.length; step += 1) {
        await page.keyboard.press('n');
        await asleep(100);
        assert.ok((await visible('.stage')).height >= (height / zoom) / 2, `${what}: the scan stays`);
        const head = await visible('.findings li.chosen button');
        const below = await visible('.stage');
        assert.ok(head.height > 20, `${what}: the words of finding ${step}`);
        if (width / zoom <= 1000) assert.ok(head.top >= below.bottom - 1, `${what}: under the scan, not behind it`);
        // The box that is drawn for it, in pixels of the stage.
        const number = await page.evaluate(() => [...document.querySelectorAll('.findings > li')].findIndex((one) => one.classList.contains('chosen')));
        const inside = await page.evaluate(() => {
          const over = document.querySelector('.pane .over');
          const { data } = over.getContext('2d').getImageData(0, 0, over.width, over.height);
          let [left, right, top, bottom] = [over.width, -1, over.height, -1];
          // White is only the chosen one's.
          for (let y = 0; y < over.height; y += 1) {
            for (let x = 0; x < over.width; x += 1) {
              const at = 4 * (y * over.width + x);
              if (data[at] === 255 && data[at + 1] === 255 && data[at + 2] === 255 && data[at + 3] === 255) [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
            }
          }
          return { left, right, top, bottom, width: over.width, height: over.height };
        });
        assert.ok(inside.right > inside.left && inside.bottom > inside.top, `${what}: finding ${number} is drawn`);
        assert.ok(inside.left > 0 && inside.top > 0 && inside.right < inside.width - 1 && inside.bottom < inside.height - 1, `${what}: finding ${number} is cut: ${JSON.stringify(inside)}`);
        if (step === 0) await shot(page, `scan-chosen-${width}x${height}-${locale.slice(0, 2)}${zoom === 2 ? '-200' : ''}`);
      }
      // Reasons are where they can be read.
      await page.keyboard.press('r');
      await page.waitForSelector('.findings .reasons');
      assert.ok((await visible('.findings .reasons li')).height > 20, `${what}: reasons`);
      await accessible(page, `${what}, reasons`);
      quiet();
      await close();
    }
  }
}));

test('a long mark leaves room for what the row is', () => serving('portal', async (server) => {
  for (const locale of ['en-US', 'es-MX']) {
    for (const width of [1366, 1240, 1024]) {
      const { page, context, close } = await screen(server, { locale, width });
      // As long as a mark gets, as urgent as it gets, as many words as there are.
      const answer = await ask(server, 'GET', '/v1/cases');
      const cars = answer.cars.map((car) => ({ ...car, mark: 'WWWX 938969', priority: 1, two_person: true, passing: true }));
      await context.route('**/v1/cases', (route) => route.fulfill({ json: { ...answer, cars } }));
      await page.reload();
      await page.waitForSelector('.row .where');
      const cut = await page.evaluate(() => [...document.querySelectorAll('.row .first, .row .first *')].filter((one) => one.scrollWidth > one.clientWidth + 1 && getComputedStyle(one).display !== 'inline').map((one) => one.outerHTML));
      assert.deepEqual(cut, [], `${locale} ${width}`);
      const ends = await page.evaluate(() => [...document.querySelectorAll('.row')].map((row) => row.querySelector('.where').getBoundingClientRect().right - row.getBoundingClientRect().right));
      assert.ok(ends.length > 0 && ends.every((beyond) => beyond < 0), `${locale} ${width}: ${ends}`);
      await shot(page, `queue-long-mark-${locale.slice(0, 2)}-${width}`);
      await close();
    }
  }
}));

test('two officers race for one car; what one decides the other sees; the second person is not the first', () => serving('officers', async (server) => {
  const first = (await beside(server, 'data/first-password')).toString().trim();
  const headers = { origin: server.url };
  const admin = await screen(server, { hash: '#people', login: (context) => logIn(context, server, 'admin', first) });
  const scan = await dual(server, async (scan) => (await admin.context.request.get(`${server.url}/v1/scans/${scan}`)).json());
  const as = async (id, role, more) => {
    const made = await admin.context.request.post(`${server.url}/v1/people`, { headers, data: { id, role } });
    const { password } = await made.json();
    return screen(server, { ...more, login: (context) => logIn(context, server, id, password) });
  };
  const ann = await as('ann', 'operator', {});
  const bob = await as('bob', 'operator', {});
  const sue = await as('sue', 'supervisor', { locale: 'es-MX', hash: `#trains/${scan}` });
  const car = `/v1/scans/${scan}/cars/2`;
  const item = async () => (await (await admin.context.request.get(`${server.url}/v1/cases`)).json()).cars.find(({ position }) => position === 2);
  assert.equal((await item()).two_person, true);
  const judged = async () => (await (await admin.context.request.get(`${server.url}${car}`)).json()).judged;
  await sue.page.waitForSelector('.card');

  // Both choose the gondola in the queue and open it at once.
  for (const { page } of [ann, bob]) {
    await page.locator(`[id="case-${scan}/2"]`).click();
    await page.waitForFunction((id) => document.querySelector('.row[aria-selected="true"]')?.id === id, `case-${scan}/2`);
  }
  ann.tolerate();
  bob.tolerate();
  await Promise.all([ann, bob].map(({ page }) => page.keyboard.press('Enter')));
  await Promise.all([ann, bob].map(({ page }) => seen(page)));
  await Promise.all([ann, bob].map(({ page }) => page.waitForSelector('.findings li.chosen')));
  const standing = (who) => who.page.locator('.aside .standing').textContent();
  await Promise.all([ann, bob].map(({ page }) => page.waitForFunction(() => /in your hand|has this case in hand/.test(document.querySelector('.aside .standing')?.textContent ?? ''))));
  const won = [await standing(ann), await standing(bob)].map((text) => text.includes('in your hand'));
  assert.deepEqual([...won].sort(), [false, true], `${await standing(ann)} | ${await standing(bob)}`);
  const [winner, loser, names] = won[0] ? [ann, bob, ['ann', 'bob']] : [bob, ann, ['bob', 'ann']];
  assert.equal((await item()).owner.id, names[0]);
  assert.match(await standing(loser), new RegExp(`${names[0]} has this case in hand`));
  await loser.page.keyboard.press('a');
  assert.match(await loser.page.locator('.message').textContent(), /has this case in hand/);
  await shot(loser.page, 'car-claimed-by-another');
  await accessible(loser.page, 'car claimed by another');
  assert.ok((await judged()).every(({ by }) => by.length === 0), 'nothing was decided');
  // Not even by hand.
  const confirm = { verdict: 'confirmed', reason: null, note: null, looked_ms: 1000 };
  const number = (who) => who.page.evaluate(() => [...document.querySelectorAll('.findings > li')].findIndex((one) => one.classList.contains('chosen')));
  const chosen = await number(winner);
  const byHand = (who, verdict, finding = chosen) => who.context.request.post(`${server.url}${car}/findings/${finding}/disposition`, { headers, data: verdict });
  const refused = await byHand(loser, confirm);
  assert.deepEqual([refused.status(), (await refused.json()).why.why], [409, 'claimed']);
  ann.tolerate(false);
  bob.tolerate(false);

  // The other one is writing a note: what is decided meanwhile is shown, and takes neither the words nor the hand away.
  const note = loser.page.locator('#finding-note');
  await note.focus();
  await loser.page.keyboard.type('a jar, ze');
  await winner.page.keyboard.press('a');
  await loser.page.waitForFunction(() => document.querySelector('.decided')?.textContent?.includes('confirmed'));
  await loser.page.keyboard.type('bra');
  assert.deepEqual([await note.inputValue(), await loser.page.evaluate(() => document.activeElement?.id)], ['a jar, zebra', 'finding-note']);
  await shot(loser.page, 'car-decided-by-another');
  await accessible(loser.page, 'car decided by another');
  // Taken back: gone there too, though the car goes on waiting as before.
  await winner.page.keyboard.press('z');
  await loser.page.waitForFunction(() => !document.querySelector('.decided'));
  await winner.page.waitForFunction(() => !document.querySelector('.decided'));
  // A drawing is seen as well.
  await winner.page.keyboard.press('w');
  await winner.page.keyboard.press(' ');
  for (const key of ['ArrowRight', 'ArrowDown']) await winner.page.keyboard.press(key);
  await winner.page.keyboard.press(' ');
  await winner.page.waitForFunction(() => document.activeElement?.id === 'annotation');
  await winner.page.keyboard.insertText('here');
  await winner.page.keyboard.press('Enter');
  await loser.page.waitForFunction(() => document.querySelector('.drawn')?.textContent === 'here');
  await loser.page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur());

  // The first person decides on all that waits, each finding by one key, and is the second of none.
  const waiting = (await item()).waiting;
  for (let done = 0; done < waiting; done += 1) {
    await winner.page.keyboard.press('a');
    await winner.page.waitForFunction((done) => document.querySelectorAll('.decided').length === done, done + 1);
  }
  await winner.page.waitForFunction(() => document.querySelector('.aside .standing')?.textContent?.includes('second person needed'));
  assert.deepEqual([(await item()).state, (await item()).decided_by, (await item()).owner], ['second', [names[0]], null]);
  winner.tolerate();
  await winner.page.keyboard.press('a');
  assert.match(await winner.page.locator('.message').textContent(), /another person must/);
  const again = await byHand(winner, confirm);
  assert.deepEqual([again.status(), (await again.json()).why.why], [409, 'decided_already']);
  const taken = await winner.context.request.put(`${server.url}${car}/claim`, { headers });
  assert.deepEqual([taken.status(), (await taken.json()).why.why], [409, 'decided_already']);
  await shot(winner.page, 'car-first-person');
  winner.tolerate(false);

  // The second person's page has come to it by itself; they confirm one, and disagree on another: a supervisor's.
  await loser.page.waitForFunction(() => document.querySelector('.aside .standing')?.textContent?.includes('second person needed') && !document.querySelector('.aside .hindrance'));
  await shot(loser.page, 'car-second-person');
  await accessible(loser.page, 'car, second person');
  await loser.page.locator('.findings li.chosen textarea').fill('');
  await loser.page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur());
  const theirs = await number(loser);
  await loser.page.keyboard.press('a');
  await loser.page.waitForFunction(() => [...document.querySelectorAll('.decided')].filter((one) => one.textContent?.includes('confirmed')).length > 0);
  while ((await judged())[theirs].state !== 'confirmed') await asleep(50);
  if (waiting > 1) {
    await loser.page.keyboard.press('r');
    await loser.page.waitForSelector('.findings .reasons');
    await loser.page.keyboard.press('1');
    await winner.page.waitForFunction(() => document.querySelector('.aside .standing')?.textContent?.includes('for a supervisor'));
  }
  // Whoever looks at the train sees what waits, by itself.
  const left = (await item())?.waiting ?? 0;
  await sue.page.waitForFunction((left) => [...document.querySelectorAll('.card')].some((card) => card.getAttribute('href')?.endsWith('/2') && card.textContent?.includes(left ? `${left} por` : '2 ·')), left);
  await shot(sue.page, 'train-judged');
  await accessible(sue.page, 'train judged');
  // And decides what two could not agree on.
  if (left > 0) {
    await sue.page.locator('.card[href$="/2"]').click();
    await seen(sue.page);
    await sue.page.waitForSelector('.findings li.chosen');
    for (let done = 0; done < left; done += 1) {
      await sue.page.keyboard.press('a');
      await asleep(300);
    }
    await winner.page.waitForFunction(() => document.querySelector('.aside .standing')?.textContent?.startsWith('confirmed'));
  }
  assert.equal(await item(), undefined);
  for (const who of [ann, bob, sue, admin]) {
    who.quiet();
    await who.close();
  }
}));
