import { describe, expect, test } from 'vitest';
import { format, parse } from './address';

describe('the address of a page', () => {
  test('is empty at first: the cluster', () => {
    expect(parse('')).toEqual({ page: 'cluster', id: '', query: {} });
    expect(parse('#/')).toEqual({ page: 'cluster', id: '', query: {} });
  });

  test.each([
    { page: 'servers', id: 'a/b ?&=#%', query: { pane: 'use', find: 'x=1&y' } },
    { page: 'clients', id: 'ホスト', query: {} },
    { page: 'about', id: '', query: { 's.sort': '-host' } },
  ])('comes back as it was: %j', (address) => {
    expect(parse(format(address))).toEqual(address);
  });

  test('leaves empty values out', () => {
    expect(format({ page: 'queue', id: '', query: { find: '', sort: 'place' } })).toBe('#/queue?sort=place');
  });

  test('survives what somebody typed', () => {
    expect(parse('#/servers/%E0%A4%A').id).toBe('%E0%A4%A');
    expect(parse('#/servers?pane').query).toEqual({ pane: '' });
  });
});
