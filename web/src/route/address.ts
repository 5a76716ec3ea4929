// The state of the page in its address: #/servers/ID?pane=memory&range=3600. What is in it survives a reload and can
// be sent to somebody else. Pure: the window's address is address.svelte.ts's business.

export interface Address {
  page: string;
  id: string;
  query: Record<string, string>;
}

export const pages = [
  'cluster',
  'servers',
  'clients',
  'sessions',
  'queue',
  'tokens',
  'users',
  'activity',
  'settings',
  'about',
] as const;
export type Page = (typeof pages)[number];

export function parse(hash: string): Address {
  const text = hash.replace(/^#\/?/, '');
  const mark = text.indexOf('?');
  const path = mark < 0 ? text : text.slice(0, mark);
  const [page = '', ...rest] = path.split('/');
  const query: Record<string, string> = {};
  if (mark >= 0) {
    for (const [key, value] of new URLSearchParams(text.slice(mark + 1))) query[key] = value;
  }
  return { page: page || 'cluster', id: decoded(rest.join('/')), query };
}

export function format(address: Address): string {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(address.query)) {
    if (value !== '') query.set(key, value);
  }
  const id = address.id ? '/' + encodeURIComponent(address.id) : '';
  const tail = query.toString();
  return `#/${address.page}${id}${tail ? '?' + tail : ''}`;
}

function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text; // a stray % that somebody typed
  }
}
