import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { en } from './en';
import { ja } from './ja';
import { zhTW } from './zh-TW';

const keys = Object.keys(en) as (keyof typeof en)[];
const holes = (text: string) => (text.match(/\{\w+\}/g) ?? []).sort();

function sources(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === 'text' ? [] : sources(path);
    return /\.(svelte|ts)$/.test(entry.name) && !entry.name.endsWith('.test.ts') ? [readFileSync(path, 'utf8')] : [];
  });
}

describe.each([
  ['Japanese', ja],
  ['Traditional Chinese', zhTW],
])('%s', (_, texts) => {
  test('has every text and no other', () => {
    expect(Object.keys(texts).sort()).toEqual([...keys].sort());
  });

  test('leaves none empty', () => {
    expect(keys.filter((key) => texts[key].trim() === '')).toEqual([]);
  });

  test('has the same holes in each', () => {
    for (const key of keys) expect([key, holes(texts[key])]).toEqual([key, holes(en[key])]);
  });

  test('is not English in disguise', () => {
    const same = keys.filter((key) => texts[key] === en[key]);
    // Names and words that are the same in each language.
    expect(same.length).toBeLessThan(20);
  });
});

test('every text is used somewhere', () => {
  const all = sources(join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '..')).join('\n');
  // Keys that are made of a part that the daemon tells or that the address holds.
  const made = /^(page|role|range|theme|token|health|level)\./;
  const unused = keys.filter((key) => !made.test(key) && !all.includes(`'${key}'`));
  expect(unused).toEqual([]);
});
