// The scan viewer in Chromium: trains, cars, every key, both languages, both renderers against the reference in Rust, hostile papers, frames a second.

import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { Server, accessible, ask, close as closeBrowser, launch, picture, screen, seen, shot, steady, whole } from './drive.mjs';

// A processor stands in for the graphics card here.
const GRAPHICS = ['--use-angle=swiftshader', '--enable-unsafe-swiftshader', '--ignore-gpu-blocklist'];
before(() => launch(GRAPHICS));
after(closeBrowser);

const rail = (name) => readFile(path.join(process.env.GARITA_RAIL, name));
const HOSTILE = '<img src=x onerror="window.pwned=1"><script>window.pwned=1</script>\u{202e}gnal\u{200b} &amp; ${1}';

/** A server that has the same train twice: clean on an earlier day, and now with things in it and papers that lie. One for all tests. */
let running;

async function begin() {
  const server = await new Server('trains').start();
  let last;
  for (const [name, file] of [['before', 'earlier/G-3-e'], ['now', 'G-3']]) {
    const consist = JSON.parse(await rail(`${file}.consist.json`));
    if (name === 'now') Object.assign(consist.cars[1], { commodity: HOSTILE.repeat(4), loaded: true, weight_kg: 40_000, axles: 6, containers: [HOSTILE] });
    await ask(server, 'POST', `/v1/portals/bridge/scans/${name}/consist`, JSON.stringify(consist));
    last = (await ask(server, 'POST', '/v1/portals/bridge/scans', await rail(`${file}.tif`), { 'idempotency-key': name })).scan;
    for (;;) {
      const { state } = await ask(server, 'GET', `/v1/scans/${last}`);
      if (state === 'inspected') break;
      assert.notEqual(state, 'bad');
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  return { server, last };
}

async function trains(act) {
  running ??= begin();
  const { server, last } = await running;
  await act(server, last);
}

after(async () => (await running)?.server.kill());

test('both renderers are the reference, pixel by pixel', () => trains(async (server) => {
  const golden = JSON.parse(await readFile(process.env.GARITA_GOLDEN, 'utf8'));
  const { page, quiet, close } = await screen(server);
  const told = await page.evaluate(async (golden) => {
    const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const { table, colours, means } = await import('/web/display.js');
    const { card, processor, sampling } = await import('/web/canvas.js');
    const data = new Uint16Array(bytes(golden.picture).buffer);
    const picture = { level: 0, x0: 0, width: golden.width, height: data.length / golden.width, data };
    const [columns, rows] = [sampling(picture.width, picture.width / 2, 1, 0, 0, picture.width), sampling(picture.height, picture.height / 2, 1, 0, 0, picture.height)];
    const make = (painter, ...more) => {
      const canvas = document.createElement('canvas');
      Object.assign(canvas, { width: picture.width, height: picture.height });
      return { canvas, painter: painter(canvas, ...more) };
    };
    const painters = [make(processor), make(card)];
    if (painters.some(({ painter }) => !painter)) return { wrong: ['no WebGL2 here'], compared: 0 };
    const wrong = [];
    let compared = 0;
    for (const one of golden.cases) {
      const digest = await crypto.subtle.digest('SHA-256', table(one));
      const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
      if (hex !== one.table_sha256) wrong.push(`table of ${JSON.stringify({ ...one, greys: '' })}`);
      const greys = bytes(one.greys);
      for (const palette of ['grey', 'viridis']) {
        const rgb = bytes(golden.palettes[palette]);
        if (colours(palette).some((value, index) => value !== rgb[index])) wrong.push(palette);
        for (const { canvas, painter } of painters) {
          painter.paint(picture, { setting: one, detail: one.detail, palette }, columns, rows);
          let shown;
          if (painter.kind === 'card') {
            // From the card itself: rows from the foot.
            const gl = canvas.getContext('webgl2');
            const raw = new Uint8Array(picture.width * picture.height * 4);
            gl.readPixels(0, 0, picture.width, picture.height, gl.RGBA, gl.UNSIGNED_BYTE, raw);
            shown = (x, y, channel) => raw[((picture.height - 1 - y) * picture.width + x) * 4 + channel];
          } else {
            const raw = canvas.getContext('2d').getImageData(0, 0, picture.width, picture.height).data;
            shown = (x, y, channel) => raw[(y * picture.width + x) * 4 + channel];
          }
          let bad = 0;
          for (let index = 0; index < greys.length; index += 1) {
            for (let channel = 0; channel < 3; channel += 1) bad += Number(shown(index % picture.width, Math.floor(index / picture.width), channel) !== rgb[3 * greys[index] + channel]);
          }
          compared += greys.length;
          if (bad) wrong.push(`${painter.kind} ${one.detail} ${palette} low ${one.low}: ${bad} values`);
        }
      }
    }
    void means;
    return { wrong, compared };
  }, golden);
  assert.deepEqual(told.wrong, []);
  console.log(`# exact: ${told.compared} pixels of ${golden.cases.length} settings, two palettes, both renderers`);
  quiet();
  await close();
}));

/** Frames a second of the viewer's own stage, as large as on a screen of 1366 by 768, over 6,000 by 1,000 pixels. @param {'processor' | 'card'} renderer */
async function rate(server, renderer) {
  const { page, context, quiet, close } = await screen(server);
  // What the page's own process computes: a machine that does other things too says nothing by its clock.
  const devtools = await context.newCDPSession(page);
  await devtools.send('Performance.enable');
  const spent = async () => (await devtools.send('Performance.getMetrics')).metrics.find(({ name }) => name === 'ProcessTime')?.value ?? NaN;
  await page.exposeFunction('spentCpu', spent);
  const rates = await page.evaluate(async (renderer) => {
    const { Stage } = await import('/web/stage.js');
    const body = { columns: [0, 6000], detectors: 1000, pitch_mm: 6, top_mm: 6000, x_mm: Array.from({ length: 6001 }, (_, index) => 6 * index), cells: { width: 1125, height: 188, mm: 32 } };
    const levels = new Map();
    for (let level = 0; level <= 6; level += 1) {
      const [width, height] = [Math.ceil(6000 / 2 ** level), Math.ceil(1000 / 2 ** level)];
      const data = new Uint16Array(width * height);
      for (let index = 0; index < data.length; index += 1) data[index] = (Math.imul(index, 2_654_435_761) >>> 24) + ((index % width) >> 3);
      levels.set(level, { level, x0: 0, width, height, data });
    }
    const pixels = { there: levels, best: (scale) => levels.get(Math.min(6, Math.max(0, Math.floor(Math.log2(1 / scale))))) };
    const rates = {};
    {
      for (const detail of ['plain', 'contrast', 'edges']) {
        localStorage.setItem('garita.renderer', renderer);
        const stage = new Stage({ look: () => ({ setting: { low: 0, high: 1000, log: true, gamma16: 16, invert: false }, detail, palette: 'viridis' }), marks: () => [{ box: [100, 100, 400, 300], label: '1', kind: 'finding' }], tool: () => 'look', hover() {}, drawn() {}, window() {} });
        stage.element.style.cssText = 'position:fixed;left:0;top:0;width:988px;height:524px;z-index:99';
        document.body.append(stage.element);
        if (renderer === 'card') {
          const { card } = await import('/web/canvas.js');
          const [pane] = stage.panes;
          pane.canvas = Object.assign(document.createElement('canvas'), { className: 'pixels' });
          pane.painter = card(pane.canvas);
          pane.element.replaceChildren(pane.canvas, pane.over, pane.label);
        }
        stage.show({ body, pixels, flip: false });
        const frame = () => new Promise((resolve) => requestAnimationFrame(resolve));
        // What is made once a picture is made first.
        for (const scale of [0.25, 0.5, 1, 2]) { stage.look([3000, 500], scale); await frame(); await frame(); }
        const before = await globalThis.spentCpu();
        const begun = performance.now();
        let frames = 0;
        while (performance.now() - begun < 2500) {
          const turn = frames / 40;
          // Painted here and not by the stage itself, so that it can be timed.
          stage.wanted = true;
          stage.look([3000 + 2000 * Math.sin(turn), 500 + 200 * Math.cos(turn)], 2 ** (1.5 * Math.sin(turn / 2)) * 0.6);
          stage.paint();
          if (renderer === 'card') stage.panes[0].canvas.getContext('webgl2').finish();
          await frame();
          frames += 1;
        }
        const rate = (1000 * frames) / (performance.now() - begun);
        rates[`${renderer} ${detail}`] = [rate, (1000 * ((await globalThis.spentCpu()) - before)) / frames];
        stage.stop();
        stage.element.remove();
      }
    }
    localStorage.removeItem('garita.renderer');
    return rates;
  }, renderer);
  quiet();
  await close();
  return rates;
}

test('pan and zoom over 6,000 by 1,000 pixels', () => trains(async (server) => {
  const rates = await rate(server, 'card');
  // As a machine without any graphics card draws: nothing stands in for one.
  await closeBrowser();
  await launch();
  Object.assign(rates, await rate(server, 'processor'));
  await closeBrowser();
  await launch(GRAPHICS);
  console.log(`# frames a second (the page's CPU ms for one): ${Object.entries(rates).map(([what, [rate, ms]]) => `${what} ${rate.toFixed(1)} (${ms.toFixed(1)})`).join(', ')}`);
  for (const [what, [rate]] of Object.entries(rates)) assert.ok(rate > 0.5, `${what}: ${rate} frames a second`);
}));

test('trains, cars and one car in both languages and lights', () => trains(async (server, scan) => {
  for (const locale of ['en-US', 'es-MX']) {
    for (const zoom of [1, 2]) {
      const { page, quiet, close } = await screen(server, { locale, zoom, hash: '#trains' });
      for (const light of ['dark', 'light']) {
        for (const [name, hash] of [['trains', 'trains'], ['train', `trains/${scan}`], ['car', `trains/${scan}/2`]]) {
          await page.evaluate((hash) => { location.hash = hash; }, hash);
          if (name === 'trains') await page.waitForSelector('.trains table');
          else if (name === 'train') await page.waitForFunction(() => [...document.querySelectorAll('.card img')].length === 3 && [...document.querySelectorAll('.card img')].every((image) => image.complete && image.naturalWidth > 50));
          else await seen(page);
          const what = `scan-${name}-${locale.slice(0, 2)}-${light}${zoom === 2 ? '-200' : ''}`;
          await shot(page, what);
          await whole(page, what);
          await accessible(page, what);
        }
        await page.keyboard.press('t');
      }
      quiet();
      await close();
    }
  }
}));

test('each key does what it says', () => trains(async (server, scan) => {
  const { page, quiet, close, tolerate } = await screen(server, { hash: '#trains' });
  const press = (key) => page.keyboard.press(key);
  await page.waitForSelector('.trains table');
  // From anywhere to the trains, down to a car and up again.
  await press('g');
  await press('q');
  await page.waitForSelector('.review');
  // Cars wait in the queue as hits do; Enter opens the one that is chosen.
  await page.waitForSelector('.row[aria-selected="true"]');
  await page.waitForFunction(() => document.querySelector('.car-place img') instanceof HTMLImageElement && document.querySelector('.car-place img').naturalWidth > 50);
  assert.match(await page.locator('.row[aria-selected="true"]').textContent(), /rail car/);
  await shot(page, 'queue-cars');
  await accessible(page, 'queue with cars');
  await press('a');
  assert.match(await page.locator('.message').textContent(), /Open the car/);
  await press('Enter');
  await page.waitForSelector('.findings li.chosen');
  assert.match(await page.locator('.aside .standing').textContent(), /in your hand|in hand/i);
  await press('g');
  await press('r');
  await page.waitForSelector('.trains table');
  await page.locator('.trains table a').first().click();
  await page.waitForSelector('.card');
  const positions = () => page.locator('.card').evaluateAll((all) => all.map((one) => one.getAttribute('href').split('/')[2]));
  const ranked = await positions();
  // The address changes before the page does.
  const at = async (position) => {
    await page.waitForFunction((car) => document.querySelector('.crumbs')?.textContent?.includes(car), `car ${position} of 3`);
    await seen(page);
  };
  await press('s');
  assert.deepEqual(await positions(), ['1', '2', '3']);
  await press('s');
  assert.deepEqual(await positions(), ranked);
  await press('j');
  await press('Enter');
  await at(ranked[0]);
  await press('j');
  await at(ranked[1]);
  await press('k');
  await at(ranked[0]);
  await press('Escape');
  await page.waitForSelector('.card');
  // Opening is in the audit trail, once a view; tiles and pictures are not.
  const opened = async () => (await ask(server, 'GET', `/v1/audit?action=car.viewed&subject=${encodeURIComponent(`scan ${scan} car 2`)}`)).records.length;
  const before = await opened();
  await page.evaluate((hash) => { location.hash = hash; }, `#trains/${scan}/2`);
  await at(2);
  assert.equal(await opened(), before + 1);
  // Everything that changes the picture: one key there, and back.
  await press('f');
  const first = await steady(page);
  for (const [key, back] of [['o', 'o'], ['i', 'i'], ['c', 'c'], ['e', 'e'], ['x', 'x'], ['y', 'Y'], ['h', 'h'], ['q', 'q'], ['b', 'b'], ['+', 'f'], ['v', 'f'], ['-', 'f']]) {
    await press(key);
    const changed = await steady(page);
    if (key !== 'h') assert.notEqual(changed, first, `${key} changes nothing`);
    await press(back);
    assert.equal(await steady(page), first, `${back} brings nothing back`);
  }
  // What is larger than the screen can be moved.
  for (let step = 0; step < 6; step += 1) await press('+');
  let view = await steady(page);
  for (const key of ['ArrowRight', 'ArrowLeft', 'ArrowUp', 'ArrowDown']) {
    await press(key);
    const moved = await steady(page);
    assert.notEqual(moved, view, key);
    view = moved;
  }
  await press('f');
  for (const key of [',', '.', '<', '>']) {
    const before = await page.locator('.bar .small').textContent();
    await press(key);
    assert.notEqual(await page.locator('.bar .small').textContent(), before, key);
  }
  await press('b');
  await shot(page, 'scan-as-scanned');
  await press('b');
  for (const [key, name] of [['e', 'edges'], ['x', 'contrast'], ['c', 'colour']]) {
    await press(key);
    await steady(page);
    await shot(page, `scan-${name}`);
    await press(key);
  }
  // The earlier scan: beside, in turn, subtracted, away.
  for (const name of ['beside', 'blink', 'difference', 'off']) {
    await press('d');
    await page.waitForFunction((panes) => [...document.querySelectorAll('.pane')].filter((pane) => !pane.hidden).length === panes, name === 'beside' ? 2 : 1);
    await page.waitForTimeout(400);
    await shot(page, `scan-compare-${name}`);
    if (name !== 'blink') await accessible(page, `compare ${name}`);
  }
  // Thickness, ruler, region, by keyboard and by mouse.
  await press('p');
  await press('ArrowRight');
  await page.waitForFunction(() => document.querySelector('.readout')?.textContent?.match(/±|at least/));
  await press(' ');
  assert.match(await page.locator('.aside').textContent(), /mm of steel/);
  await press('R');
  await press(' ');
  for (let step = 0; step < 4; step += 1) await press('ArrowRight');
  await press(' ');
  assert.match(await page.locator('.aside').textContent(), /\d mm \(/);
  await shot(page, 'scan-ruler');
  await press('s');
  const box = await page.locator('.stage').boundingBox();
  await page.mouse.move(box.x + box.width * 0.4, box.y + box.height * 0.4);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + box.height * 0.55, { steps: 4 });
  await page.mouse.up();
  await page.waitForSelector('.aside svg.plot');
  assert.match(await page.locator('.aside').textContent(), /Mean ± spread/);
  await shot(page, 'scan-region');
  await accessible(page, 'region');
  await press('Escape');
  // A drawing, kept beside the pixels; letters while somebody types are letters.
  await press('w');
  await press(' ');
  for (const key of ['ArrowRight', 'ArrowRight', 'ArrowDown', 'ArrowDown']) await press(key);
  await press(' ');
  await page.waitForFunction(() => document.activeElement?.id === 'annotation');
  await page.keyboard.insertText(`a jar ${HOSTILE}`);
  await press('Enter');
  await page.waitForSelector('.drawn');
  assert.ok((await page.locator('.drawn').textContent()).startsWith('a jar <img'));
  await shot(page, 'scan-drawn');
  // Arrow and text are tools as well.
  for (const key of ['W', 'T', 'Escape']) await press(key);
  await page.getByRole('button', { name: 'Remove' }).click();
  await page.waitForSelector('.drawn', { state: 'detached' });
  // Findings: chosen, rejected with a reason, taken back, confirmed. What is less probable than not is chosen by hand.
  await press('n');
  await page.waitForSelector('.findings li.chosen');
  await shot(page, 'scan-finding');
  await press('N');
  await press('n');
  await press('r');
  await page.waitForSelector('.findings .reasons');
  await shot(page, 'scan-reasons');
  await accessible(page, 'reasons');
  tolerate();
  await press('6');
  await page.waitForFunction(() => document.activeElement?.id === 'finding-note');
  tolerate(false);
  await press('Escape');
  await page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur());
  await press('2');
  await page.waitForFunction(() => document.querySelector('.decided')?.textContent?.includes('Usual cargo'));
  await press('z');
  await page.waitForFunction(() => !document.querySelector('.decided'));
  await press('a');
  await page.waitForFunction(() => document.querySelector('.decided')?.textContent?.includes('confirmed'));
  const records = (await ask(server, 'GET', '/v1/audit')).records.filter((record) => record.subject === `scan ${scan} car 2`).map((record) => record.action);
  assert.deepEqual(records.slice(0, 3), ['disposition', 'disposition.undone', 'disposition']);
  // Hostile papers are text, contradictions come first.
  const text = await page.locator('.aside').textContent();
  for (const literal of ['<img src=x onerror=', '⟨202E⟩', '⟨200B⟩', '${1}']) assert.ok(text.includes(literal), literal);
  assert.match(await page.locator('.aside tbody tr').first().textContent(), /^≠/);
  assert.equal(await page.evaluate(() => globalThis.pwned), undefined);
  await whole(page, 'car');
  // Up, to the train, to the trains.
  await press('Escape');
  await page.waitForSelector('.card');
  await press('Escape');
  await page.waitForSelector('.trains table');
  quiet();
  await close();
}));
