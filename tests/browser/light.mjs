// What is sent of each script is what was written: the same statements, to TypeScript's parser, name by name and text by text. Arguments: two folders.

import assert from 'node:assert/strict';
import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';

const [, , written, sent] = process.argv;
const EXACT = new Set([ts.SyntaxKind.StringLiteral, ts.SyntaxKind.NoSubstitutionTemplateLiteral, ts.SyntaxKind.TemplateHead, ts.SyntaxKind.TemplateMiddle,
  ts.SyntaxKind.TemplateTail, ts.SyntaxKind.RegularExpressionLiteral, ts.SyntaxKind.Identifier, ts.SyntaxKind.NumericLiteral]);

/** A script as a list: each node's kind, what it says of itself, and its text where it has no parts. */
function told(folder, name) {
  const file = ts.createSourceFile(name, readFileSync(path.join(folder, name), 'utf8'), ts.ScriptTarget.Latest, true, ts.ScriptKind.JS);
  assert.deepEqual(file.parseDiagnostics, [], name);
  const all = [];
  const walk = (node, depth) => {
    let parts = 0;
    ts.forEachChild(node, () => { parts += 1; });
    const text = parts > 0 ? '' : EXACT.has(node.kind) ? node.getText(file) : node.getText(file).replace(/\/\*[^]*?\*\/|\s+/gu, '');
    all.push(`${depth} ${ts.SyntaxKind[node.kind]} ${node.operator ?? ''} ${node.flags & ts.NodeFlags.BlockScoped} ${text}`);
    ts.forEachChild(node, (child) => walk(child, depth + 1));
  };
  walk(file, 0);
  return all;
}

const names = readdirSync(written).filter((name) => name.endsWith('.js'));
assert.ok(names.length > 20, `${names.length} scripts`);
let nodes = 0;
for (const name of names) {
  const [before, after] = [told(written, name), told(sent, name)];
  const at = before.findIndex((line, index) => line !== after[index]);
  assert.ok(at < 0 && before.length === after.length, `${name}: node ${at}: ${before[at]} became ${after[at]}`);
  nodes += before.length;
}
console.log(`# ${names.length} scripts, ${nodes} nodes: the same`);
