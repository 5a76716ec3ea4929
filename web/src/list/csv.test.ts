import { describe, expect, test } from 'vitest';
import { toCsv } from './csv';

describe('comma-separated values', () => {
  test('begin with the mark of UTF-8 and end each line as RFC 4180 wants it', () => {
    expect(toCsv(['a', 'b'], [['x', 1]])).toBe('\ufeffa,b\r\nx,1\r\n');
  });

  test('quote what has commas, quotes and line ends', () => {
    expect(toCsv(['a'], [['x,y'], ['say "hi"'], ['two\nlines']])).toBe(
      '\ufeffa\r\n"x,y"\r\n"say ""hi"""\r\n"two\nlines"\r\n',
    );
  });

  test.each(['=1+1', '+1', '-1', '@SUM(A1)', '\tx', '\rx'])('a text like a formula is no formula: %j', (text) => {
    const cell = toCsv(['a'], [[text]]).split('\r\n').slice(1).join('\r\n');
    expect(cell.replace(/^"/, '').startsWith("'")).toBe(true);
  });

  test('numbers stay numbers, negative ones too; what is not there is empty', () => {
    expect(toCsv(['a', 'b', 'c', 'd'], [[-1.5, null, undefined, NaN]])).toBe('\ufeffa,b,c,d\r\n-1.5,,,\r\n');
  });
});
