import { type Address, format, parse } from './address';

// The window's address, as reactive state.
class Place {
  now = $state<Address>(parse(location.hash));

  constructor() {
    addEventListener('hashchange', () => (this.now = parse(location.hash)));
  }

  get page(): string {
    return this.now.page;
  }
  get id(): string {
    return this.now.id;
  }

  query(key: string, fallback = ''): string {
    return this.now.query[key] ?? fallback;
  }

  // Changes what the page shows; Back does not undo it step by step. An empty text removes a key.
  set(change: Record<string, string>): void {
    // Of the address that stands there: when somebody has just gone to another page, `now` has yet to hear of it,
    // and a dialog that closes then must not bring the old page back.
    const here = parse(location.hash);
    this.now = { ...here, query: { ...here.query, ...change } };
    history.replaceState(null, '', format(this.now));
  }

  go(page: string, id = '', query: Record<string, string> = {}): void {
    location.hash = format({ page, id, query });
  }
}

export const place = new Place();

export function link(page: string, id = '', query: Record<string, string> = {}): string {
  return format({ page, id, query });
}
