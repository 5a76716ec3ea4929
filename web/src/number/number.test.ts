import { describe, expect, test } from 'vitest';
import { bytes, bytesPerSecond, gpus, mib, percent } from './amount';
import { duration, instant, moment, tick } from './moment';

describe('amounts', () => {
  test.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1024, '1.0 KiB'],
    [10 * 1024, '10 KiB'],
    [81920 * 1024 * 1024, '80 GiB'],
    [-2048, '-2.0 KiB'],
    [5e18, '4441 PiB'],
  ])('%d bytes are %s', (value, text) => expect(bytes(value)).toBe(text));

  test('what is not known is no text', () => {
    expect([bytes(null), mib(undefined), percent(NaN), gpus(null), bytesPerSecond(null)]).toEqual(['', '', '', '', '']);
  });

  test('parts of GPUs have two digits at most', () => {
    expect([gpus(2), gpus(0.5), gpus(1 / 3)]).toEqual(['2', '0.5', '0.33']);
    expect([mib(1536), percent(99.6), bytesPerSecond(2048)]).toEqual(['1.5 GiB', '100 %', '2.0 KiB/s']);
  });
});

describe('times', () => {
  test('come as seconds or as a text', () => {
    expect(instant(1_790_000_000)?.toISOString()).toBe('2026-09-21T14:13:20.000Z');
    expect(instant('2026-11-22T16:00:00Z')?.getTime()).toBe(Date.UTC(2026, 10, 22, 16));
    expect([instant(null), instant(''), instant(0), instant('yesterday')]).toEqual([null, null, null, null]);
    expect(moment('nonsense')).toBe('');
  });

  test('are read the same everywhere', () => {
    const local = new Date(2026, 10, 2, 4, 5, 6);
    expect(moment(local.getTime() / 1000)).toBe('2026-11-02 04:05:06');
  });

  test('say as much on an axis as it is long', () => {
    const at = new Date(2026, 10, 2, 4, 5, 6).getTime() / 1000;
    expect([tick(at, 300), tick(at, 3600), tick(at, 2 * 86400), tick(at, 30 * 86400)]).toEqual([
      '04:05:06',
      '04:05',
      '11-02 04:05',
      '11-02',
    ]);
  });

  test.each([
    [0, '0 s'],
    [59.9, '59 s'],
    [60, '1 min'],
    [3605, '1 h'],
    [7380, '2 h 3 min'],
    [90000, '1 d 1 h'],
    [-5, '0 s'],
  ])('%d seconds last %s', (value, text) => expect(duration(value)).toBe(text));
});
