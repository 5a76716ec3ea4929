// One request to the daemon's REST API. The session travels in a cookie that no script sees; what changes something
// also shows the session's CSRF token. A request that fails throws a Refusal with the daemon's own words, which end
// with what to do.

export class Refusal extends Error {
  constructor(
    readonly status: number, // 0: no answer came
    message: string,
    readonly body: unknown = null,
    readonly retryAfterS: number | null = null,
  ) {
    super(message);
  }
}

let csrf = '';
let onSignedOut: () => void = () => {};
let renewals = 0; // of the session's cookie, under way

export function useCsrf(token: string): void {
  csrf = token;
}

// Called when the daemon says that the session is over.
export function whenSignedOut(then: () => void): void {
  onSignedOut = then;
}

// While the session is exchanged for another, requests with the one before may be answered that it is over.
export async function renewing<T>(work: () => Promise<T>): Promise<T> {
  renewals++;
  try {
    return await work();
  } finally {
    renewals--;
  }
}

export interface Options {
  body?: unknown;
  file?: Blob; // sent as it is, instead of body
  etag?: string;
  signal?: AbortSignal;
  quiet?: boolean; // a 401 is an answer like any other
}

export async function request<T>(method: string, path: string, options: Options = {}): Promise<T> {
  return (await (await send(method, path, options)).json()) as T;
}

export async function requestFile(path: string): Promise<Blob> {
  return (await send('GET', path, {})).blob();
}

async function send(method: string, path: string, options: Options): Promise<Response> {
  const headers: Record<string, string> = { Accept: 'application/json' };
  let body: BodyInit | undefined;
  if (options.file) {
    headers['Content-Type'] = 'application/octet-stream';
    body = options.file;
  } else if (options.body !== undefined) {
    headers['Content-Type'] = 'application/json';
    body = JSON.stringify(options.body);
  }
  if (method !== 'GET' && csrf) headers['Bitfusion-CSRF'] = csrf;
  if (options.etag) headers['If-Match'] = options.etag;
  const session = csrf;
  let response: Response;
  try {
    response = await fetch(path, {
      method,
      headers,
      body,
      signal: options.signal,
      credentials: 'same-origin',
      cache: 'no-store',
      redirect: 'error',
    });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new Refusal(0, '');
  }
  if (response.ok) return response;
  let answer: unknown = null;
  try {
    answer = await response.json();
  } catch {
    // A proxy's page, for example; the status says enough.
  }
  const text = (answer as { error?: unknown } | null)?.error;
  const wait = Number(response.headers.get('Retry-After'));
  const refusal = new Refusal(
    response.status,
    typeof text === 'string' ? text : `${response.status} ${response.statusText}`,
    answer,
    Number.isFinite(wait) && wait > 0 ? wait : null,
  );
  if (response.status === 401 && !options.quiet && renewals === 0 && session === csrf) onSignedOut();
  throw refusal;
}

export function encode(part: string): string {
  return encodeURIComponent(part);
}
