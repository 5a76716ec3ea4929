import { describe, expect, test } from 'vitest';
import { heatRow, weighted } from './heat';
import { ranges, secondsOf } from './range';
import { align, gapOf, latest, peak, withGaps } from './series';

describe('lines over one axis', () => {
  const aligned = align([
    { name: 'a', points: [[10, 1, 2], [20, 3, 4]] },
    { name: 'b', points: [[20, 5, 6], [15, 7, 8]] },
  ]);

  test('share their times', () => {
    expect(aligned.times).toEqual([10, 15, 20]);
    expect(aligned.values).toEqual([
      [1, null, 3],
      [null, 7, 5],
    ]);
  });

  test('break where nothing was measured', () => {
    const gaps = withGaps(align([{ name: 'a', points: [[0, 1, 1], [10, 2, 2], [100, 3, 3]] }]), gapOf(10));
    expect(gaps.times).toEqual([0, 10, 27.5, 100]);
    expect(gaps.values).toEqual([[1, 2, null, 3]]);
  });

  test('tell the latest and the greatest', () => {
    expect([latest([]), peak([])]).toEqual([null, null]);
    expect([latest([[1, 2, 9], [2, 3, 4]]), peak([[1, 2, 9], [2, 3, 4]])]).toEqual([3, 9]);
  });

  test('of nothing are empty', () => {
    expect(align([])).toEqual({ times: [], values: [] });
  });
});

describe('the heat map', () => {
  test('weighs memory and compute alike', () => {
    expect(weighted(1, 0)).toBe(0.5);
    expect(weighted(0.5, 0.5)).toBe(0.5);
    expect(weighted(null, 0.25)).toBe(0.25);
    expect(weighted(1, null)).toBe(1);
    expect(weighted(null, null)).toBe(null);
  });

  test('has the mean of each part of the period', () => {
    const row = heatRow([[0, 50, 50], [5, 100, 100], [15, 200, 200]], 100, [[1, 100, 100], [19, 50, 50]], 0, 30, 3);
    expect(row.map((cell) => [cell.from, cell.to])).toEqual([
      [0, 10],
      [10, 20],
      [20, 30],
    ]);
    expect(row.map((cell) => cell.memory)).toEqual([0.75, 1, null]); // more than there is counts as all
    expect(row.map((cell) => cell.compute)).toEqual([1, 0.5, null]);
    expect(row.map((cell) => cell.use)).toEqual([0.875, 0.75, null]);
  });

  test('divides by no capacity of zero', () => {
    expect(heatRow([[0, 1, 1]], 0, [], 0, 10, 1)[0].use).toBe(null);
  });
});

test('periods go from five minutes to thirty days', () => {
  expect(ranges[0].seconds).toBe(300);
  expect(ranges[ranges.length - 1].seconds).toBe(30 * 86400);
  expect(secondsOf('no such')).toBe(3600);
});
