// What is sent of each script is what was written: to a parser the same statements, name by name and text by text. Arguments: two folders.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { parse } from 'acorn';

const [, , written, sent] = process.argv;
let nodes = 0;

/** A script as its parts, each on a line, without where they stand. */
function told(folder, name) {
  const tree = parse(readFileSync(path.join(folder, name), 'utf8'), { ecmaVersion: 'latest', sourceType: 'module' });
  return JSON.stringify(tree, (key, value) => {
    if (key === 'start' || key === 'end') return undefined;
    if (key === 'type') nodes += 1;
    return typeof value === 'bigint' || value instanceof RegExp ? String(value) : value;
  }, 1).split('\n');
}

const names = readdirSync(written).filter((name) => name.endsWith('.js'));
assert.ok(names.length > 20, `${names.length} scripts`);
for (const name of names) {
  const [before, after] = [told(written, name), told(sent, name)];
  const at = before.findIndex((line, index) => line !== after[index]);
  assert.ok(at < 0 && before.length === after.length, `${name}: ${before.slice(Math.max(0, at - 3), at + 1).join(' ')} became ${after[at]}`);
}
console.log(`# ${names.length} scripts, ${nodes / 2} parts of each: the same`);
