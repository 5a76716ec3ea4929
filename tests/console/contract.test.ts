// What the pages believe of the REST API (src/rest) against the daemon's own description of it: no field and no path
// that the daemon does not have.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openWindow } from './browser';
import { Daemon } from './daemon';

interface Schema {
  properties?: Record<string, Schema>;
  items?: Schema;
}
interface Document {
  paths: Record<string, Record<string, unknown>>;
  components: { schemas: Record<string, Schema> };
}

const sources = join(__dirname, '../src/rest');
const types = readFileSync(join(sources, 'types.ts'), 'utf8');
const daemon = new Daemon();
let document: Document;

beforeAll(async () => {
  await daemon.start();
  const window = await openWindow(daemon.url);
  document = (await (await window.context.request.get(daemon.url + '/v1/openapi.json')).json()) as Document;
  await window.close();
});
afterAll(() => daemon.stop());

function fieldsOf(name: string): string[] {
  const body = new RegExp(`export interface ${name} \\{\\n(.*?)\\n\\}`, 's').exec(types)?.[1];
  expect(body, `no interface ${name}`).toBeDefined();
  return body!
    .split('\n')
    .filter((line) => !line.includes('// not told'))
    .map((line) => /^ {2}(\w+)\??:/.exec(line)?.[1])
    .filter((field) => field !== undefined);
}

test.each([
  ['Session', 'Session'],
  ['Gpu', 'Gpu'],
  ['Server', 'PoolServer'],
  ['ServerDetail', 'Server'],
  ['Client', 'PoolClient'],
  ['Part', 'Part'],
  ['GpuSession', 'Running'],
  ['Claim', 'ClaimEntry'],
  ['Token', 'Token'],
  ['User', 'User'],
  ['Settings', 'Settings'],
  ['Check', 'Check'],
  ['Health', 'Health'],
  ['Backup', 'Backup'],
  ['About', 'About'],
])('%s is what the daemon calls %s', (mine, theirs) => {
  const told = Object.keys(document.components.schemas[theirs]?.properties ?? {});
  expect(told.length).toBeGreaterThan(0);
  expect(fieldsOf(mine).filter((field) => !told.includes(field))).toEqual([]);
});

test.each([
  ['LogLine', 'LogPage', 'lines'],
  ['AuditEntry', 'AuditPage', 'entries'],
])('%s is a row of %s', (mine, theirs, list) => {
  const told = Object.keys(document.components.schemas[theirs]?.properties?.[list]?.items?.properties ?? {});
  expect(told.length).toBeGreaterThan(0);
  expect(fieldsOf(mine).filter((field) => !told.includes(field))).toEqual([]);
});

test('every path that is asked for is there, with its method', () => {
  const calls = ['calls.ts', 'sign.svelte.ts'].map((file) => readFileSync(join(sources, file), 'utf8')).join('\n');
  const asked = [...calls.matchAll(/(?:request(?:<[^(]*>)?\('(\w+)'|(requestFile)\(), ?[`'](\/v1\/[^`'?]*)/g)];
  const files = [...calls.matchAll(/requestFile\([`'](\/v1\/[^`'?]*)/g)].map((match) => ['get', match[1]]);
  const all = [...asked.map((match) => [(match[1] ?? 'GET').toLowerCase(), match[3]]), ...files];
  expect(all.length).toBeGreaterThan(25);
  const missing = all.filter(([method, path]) => {
    const plain = path.replace(/\$\{force.*$/, '').replace(/\$\{encode\(\w+\)\}/g, '{}').replace(/\$\{.*$/, '');
    return !Object.entries(document.paths).some(
      ([known, methods]) => known.replace(/\{\w+\}/g, '{}') === plain && method in methods,
    );
  });
  expect(missing).toEqual([]);
});
