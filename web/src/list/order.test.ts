import { describe, expect, test } from 'vitest';
import { type Column, distinct, matching, pageOf, pagesOf, rowsOfAPage, sorted } from './order';

interface Row {
  name: string;
  gpus: number | null;
}
const columns: Column<Row>[] = [
  { key: 'name', title: 'Name', value: (row) => row.name },
  { key: 'gpus', title: 'GPUs', value: (row) => row.gpus, shown: (row) => `${row.gpus} pieces` },
];
const rows: Row[] = [
  { name: 'node-10', gpus: 1 },
  { name: 'node-9', gpus: 0.5 },
  { name: 'Node-1', gpus: null },
];
const names = (list: Row[]) => list.map((row) => row.name);

describe('a list', () => {
  test('sorts texts with numbers in them as people do', () => {
    expect(names(sorted(rows, columns, 'name'))).toEqual(['Node-1', 'node-9', 'node-10']);
    expect(names(sorted(rows, columns, '-name'))).toEqual(['node-10', 'node-9', 'Node-1']);
  });

  test('sorts numbers as numbers, what is not there last', () => {
    expect(names(sorted(rows, columns, 'gpus'))).toEqual(['node-9', 'node-10', 'Node-1']);
  });

  test('keeps the order that it got for a column that it does not have', () => {
    expect(names(sorted(rows, columns, 'no such'))).toEqual(names(rows));
    expect(sorted(rows, columns, '')).toBe(rows);
  });

  test('does not change what it was given', () => {
    sorted(rows, columns, 'name');
    expect(rows[0].name).toBe('node-10');
  });

  test('finds what is shown, whatever the case', () => {
    expect(names(matching(rows, columns, ' NODE-1'))).toEqual(['node-10', 'Node-1']);
    expect(names(matching(rows, columns, '0.5 pieces'))).toEqual(['node-9']);
    expect(matching(rows, columns, '  ')).toBe(rows);
    expect(matching(rows, columns, '<script>')).toEqual([]);
  });

  test('gives rows of the same key different ones, and the first its own', () => {
    const keys = distinct([rows[0], rows[1], rows[0]], (row) => row.name).map((one) => one.key);
    expect(keys).toEqual(['node-10', 'node-9', 'node-10\n1']);
  });

  test('has pages, and the last one for a number that is too great', () => {
    const many = Array.from({ length: rowsOfAPage * 2 + 1 }, (_, index) => index);
    expect(pagesOf(many.length)).toBe(3);
    expect(pagesOf(0)).toBe(1);
    expect(pageOf(many, 3)).toEqual([rowsOfAPage * 2]);
    expect(pageOf(many, 99)).toEqual([rowsOfAPage * 2]);
    expect(pageOf(many, -5)).toHaveLength(rowsOfAPage);
  });
});
