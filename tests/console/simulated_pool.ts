// A pool that is not there: a REST server with as many servers, GPUs and clients as a test wants, in the form of
// docs/rest.md, in front of the built pages. What the daemon does is tested against the daemon; this one shows how the
// pages bear sizes that no test machine has.
import { createReadStream, existsSync, statSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';

export interface Size {
  servers: number;
  gpusOfAServer: number;
  clients: number;
  sessions: number;
  waiting: number;
  tokens: number;
}

export const policy =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; connect-src 'self'; " +
  "form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

const types: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
};
const gpuMib = 81920;
const ago = (seconds: number) => new Date(Date.now() - seconds * 1000).toISOString().replace(/\.\d+/, '');

export class SimulatedPool {
  readonly paths: string[] = []; // of the requests, in order
  role = 'admin';
  broken: number | null = null; // what every route of the API answers instead
  silent = false; // requests of the API get no answer at all
  signedOut = false; // the session is over, until somebody signs in
  noStreams: number | null = null; // what who asks for events gets instead
  texts: string | null = null; // what every text of a stranger is
  talk = 0; // lines that every log has new at each question
  #server: Server;
  #lists: Record<string, unknown>;
  #streams = new Set<ServerResponse>();

  constructor(
    readonly folder: string,
    readonly size: Size,
  ) {
    this.#lists = lists(size);
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  async listen(): Promise<string> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  // How many readers of events there are.
  get streams(): number {
    return this.#streams.size;
  }

  push(event: string): void {
    for (const stream of this.#streams) stream.write(`event: ${event}\ndata: {}\n\n`);
  }

  // Every reader of events loses his connection, as when a server ends.
  dropStreams(): void {
    for (const stream of this.#streams) stream.destroy();
  }

  close(): Promise<void> {
    this.#server.closeAllConnections();
    return new Promise((done) => this.#server.close(() => done()));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? '/', 'http://pool');
    this.paths.push(url.pathname);
    response.setHeader('Content-Security-Policy', policy);
    if (url.pathname === '/') {
      response.writeHead(302, { Location: '/console/' }).end();
    } else if (url.pathname.startsWith('/console/')) {
      this.#file(url.pathname.slice('/console/'.length) || 'index.html', response);
    } else if (url.pathname === '/v1/events' && (this.signedOut || this.noStreams !== null)) {
      response.writeHead(this.signedOut ? 401 : this.noStreams!).end();
    } else if (url.pathname === '/v1/events') {
      response.writeHead(200, { 'Content-Type': 'text/event-stream' });
      response.write(': here\n\n');
      this.#streams.add(response);
      response.on('close', () => this.#streams.delete(response));
    } else {
      this.#rest(url, request, response);
    }
  }

  #file(name: string, response: ServerResponse): void {
    const path = join(this.folder, normalize('/' + name));
    if (!existsSync(path) || !statSync(path).isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('Content-Type', types[extname(path)] ?? 'application/octet-stream');
    const packed = path + '.gz';
    if (existsSync(packed)) response.setHeader('Content-Encoding', 'gzip');
    createReadStream(existsSync(packed) ? packed : path).pipe(response);
  }

  #rest(url: URL, request: IncomingMessage, response: ServerResponse): void {
    const tell = (status: number, body: unknown) => {
      response.writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'no-store' });
      response.end(JSON.stringify(body));
    };
    if (url.pathname === '/v1/session' && request.method === 'POST') this.signedOut = false;
    if (this.signedOut) return tell(401, { error: 'the session is over; log in again' });
    const strange = (body: unknown) => (this.texts === null ? body : withTexts(body, this.texts));
    if (url.pathname === '/v1/session')
      return tell(200, strange({ name: 'ann', role: this.role, csrf: 'c', expires: ago(-3600), insecure: false }));
    if (this.silent) return;
    if (this.broken !== null) return tell(this.broken, strange({ error: 'as the test wants it; nothing to do' }));
    if (request.method !== 'GET') return tell(405, strange({ error: 'this pool cannot be changed; use a real one' }));
    if (url.pathname === '/v1/history')
      return tell(200, strange(history(url.searchParams, this.size.servers * this.size.gpusOfAServer)));
    const found = this.#lists[url.pathname] ?? this.#detail(url.pathname, url.searchParams);
    return found ? tell(200, strange(found)) : tell(404, { error: 'no such path; see /v1/openapi.json' });
  }

  #detail(path: string, query: URLSearchParams): unknown {
    const parts = /^\/v1\/servers\/([^/]+)(\/health|\/logs)?$/.exec(path);
    const all = (this.#lists['/v1/servers'] as { servers: { id: string }[] }).servers;
    const server = parts && all.find((one) => one.id === decodeURIComponent(parts[1]));
    if (!server) return null;
    if (parts[2] === '/health') return healthOf();
    if (parts[2] === '/logs') {
      const after = Number(query.get('after') ?? 0);
      const lines = query.has('after') ? logLines(this.talk, after) : logLines(12);
      return { lines, next: after + lines.length, lost: 0 };
    }
    return { ...(this.#lists['/v1/server'] as object), ...server };
  }
}

// The texts that clients, users and machines choose for themselves, or that quote them, as a hostile one would.
const chosen = [
  ...['hostname', 'name', 'client_name', 'server_name', 'host', 'user', 'program', 'description', 'address', 'uuid'],
  ...['details', 'text', 'part', 'asks', 'subject', 'who', 'what', 'from', 'outcome', 'error', 'version', 'pool', 'backend'],
  ...['driver_version', 'inventory_error', 'change'],
];

function withTexts(value: unknown, text: string, all = false): unknown {
  if (typeof value === 'string') return all ? `${value} ${text}` : value;
  if (Array.isArray(value)) return value.map((one) => withTexts(one, text, all));
  if (value === null || typeof value !== 'object') return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, one]) => {
      // An interface's name, within the names of its measurements.
      if (key === 'series') return [key, one.map((name: string) => name.replace('eth0', `eth0 ${text.replaceAll('/', '_')}`))];
      return [key, withTexts(one, text, all || chosen.includes(key))];
    }),
  );
}

function lists(size: Size): Record<string, unknown> {
  const servers = Array.from({ length: size.servers }, (_, index) => {
    const busy = (index * 37) % 100;
    return {
      id: `0000-${index}`,
      hostname: `gpu-host-${String(index).padStart(3, '0')}`,
      address: `10.0.${index >> 8}.${index & 255}:56001`,
      up: index % 33 !== 32,
      accepts: index % 21 !== 20,
      own_accepts: null,
      leader: index === 0,
      self: index === 0,
      health: index === 0 ? 'marginal' : index % 5 ? 'pass' : null,
      version: '0.1.0',
      leases: busy >> 4,
      metrics_interval_s: 10,
      own_metrics_interval_s: null,
      etag: `"${index}"`,
      gpus: Array.from({ length: size.gpusOfAServer }, (_, ordinal) => ({
        ordinal,
        uuid: `GPU-${index}-${ordinal}`,
        name: 'NVIDIA H100 80GB HBM3',
        memory_mib: gpuMib,
        free_mib: (ordinal * 13 + busy) % 3 ? gpuMib : gpuMib / 2,
        memory_used_mib: 20480 + ordinal * 1000,
        utilization_percent: (ordinal * 17 + busy) % 101,
        temperature_c: 40 + ordinal,
        fan_percent: null,
        power_w: 300 + ordinal,
        ecc_errors: 0,
      })),
    };
  });
  const clients = Array.from({ length: size.clients }, (_, index) => ({
    id: `client-${String(index).padStart(5, '0')}`,
    name: `node-${String(index).padStart(4, '0')}`,
    version: '0.1.0',
    enabled: index % 17 !== 3,
    held: index < size.sessions ? 0.5 : 0,
    quota: 64,
    own_quota: null,
    idle_limit_minutes: null,
    auto_release_seconds: null,
    leases: index < size.sessions ? 1 : 0,
    waiting: 0,
    last_seen: ago(index),
    etag: `"${index}"`,
  }));
  const sessions = Array.from({ length: size.sessions }, (_, index) => ({
    id: `lease-${index}`,
    state: 'active',
    client: clients[index % Math.max(1, clients.length)]?.id ?? 'c',
    client_name: clients[index % Math.max(1, clients.length)]?.name ?? 'c',
    host: `node-${String(index).padStart(4, '0')}`,
    user: `user${index % 40}`,
    pid: 1000 + index,
    program: index % 3 ? 'python train.py --epochs 90' : 'jupyter-kernel',
    server: servers[index % Math.max(1, servers.length)]?.id ?? 's',
    since: ago(index * 60),
    held: true,
    persistent: false,
    workers: 1,
    memory_mib: gpuMib / 2,
    devices: [{ ordinal: index % size.gpusOfAServer, name: 'NVIDIA H100 80GB HBM3', memory_mib: gpuMib / 2, used_mib: 9000 }],
    round_trips: index * 1234,
    sent_bytes: index * 1e7,
    received_bytes: index * 3e7,
    idle_s: index % 90,
  }));
  const claims = Array.from({ length: size.waiting }, (_, index) => ({
    id: `claim-${index}`,
    client: clients[index]?.id ?? 'c',
    client_name: clients[index]?.name ?? 'c',
    place: index + 1,
    gpus: 1 + (index % 8),
    asks: `${1 + (index % 8)} GPU of 40960 MiB`,
    since: ago(index * 30),
    text: 'no server has that many GPUs free',
  }));
  const tokens = Array.from({ length: size.tokens }, (_, index) => ({
    id: `t${String(index).padStart(6, '0')}`,
    description: `rack ${index % 20}, machine ${index}`,
    role: 'client',
    state: (['active', 'active', 'inactive', 'expired', 'revoked'] as const)[index % 5],
    shared: index % 9 === 0,
    host: `node-${index}`,
    enrolled: true,
    created: ago(86400 * 3),
    expires: index % 2 ? null : ago(-86400),
    etag: `"${index}"`,
  }));
  const entries = Array.from({ length: 100 }, (_, index) => ({
    seq: 1000 - index,
    time: ago(index * 100),
    who: 'person ann',
    role: 'admin',
    from: '10.1.2.3',
    what: 'PUT /v1/clients/{id}',
    subject: `client-${index}`,
    change: { enabled: false },
    status: index % 7 ? 200 : 403,
    outcome: index % 7 ? 'done' : 'viewer may not',
  }));
  return {
    '/v1/servers': { servers },
    '/v1/clients': { clients },
    '/v1/sessions': { sessions },
    '/v1/claims': { claims },
    '/v1/tokens': { tokens },
    '/v1/users': {
      users: ['ann', 'bob', 'eve'].map((name, index) => ({
        name,
        role: ['admin', 'operator', 'viewer'][index],
        created: ago(86400),
        etag: `"${name}"`,
      })),
    },
    '/v1/audit': { entries, next: null },
    '/v1/settings': {
      quota: 64,
      idle_limit_minutes: 0,
      auto_release_seconds: 0,
      accepts: true,
      metrics_interval_s: 10,
      etag: '"s"',
    },
    '/v1/backups': {
      backups: [{ name: 'before-update', created: 1790000000, version: '0.1.0', pool: 'p', bytes: 1234567, files: 9 }],
    },
    '/v1/server': {
      version: '0.1.0',
      protocol: 7,
      hostname: servers[0]?.hostname ?? 'gpu-host-000',
      secure: true,
      control_address: '10.0.0.0:56001',
      data_address: '10.0.0.0:55001',
      backend: 'real',
      driver_version: '550.54',
      cuda_version: 12040,
      inventory_error: '',
      running_tasks: 3,
    },
    '/v1/about': {
      version: '0.1.0',
      pool: 'simulated',
      uptime_s: 86400 * 7,
      history: { bytes: 9e8, bytes_per_gpu: 1091584 },
    },
  };
}

function healthOf() {
  const checks = ['ecc', 'temperature', 'xid', 'mtu', 'ulimit_n', 'diskspace', 'driver_version'].map((name, index) => ({
    status: ['pass', 'pass', 'fatal', 'marginal'][index % 4],
    type: index % 2 ? 'stability' : 'performance',
    name,
    details: `what was found about ${name}, and what to do`,
    counted: index !== 3,
    etag: `"${name}"`,
  }));
  return { status: 'fatal', checks };
}

function logLines(count: number, after = 0) {
  return Array.from({ length: count }, (_, index) => ({
    seq: after + index + 1,
    time: ago(100 - index),
    level: ['info', 'warn', 'error'][index % 3],
    part: 'daemon',
    text: `line ${after + index + 1} of the log`,
  }));
}

// Of what is neither memory nor traffic.
function mostOf(name: string, gpus: number): number {
  if (/^(pool|server)\//.test(name)) return gpus;
  return name.startsWith('client/') ? 2 : 100;
}

function history(query: URLSearchParams, gpus: number) {
  const series = query.getAll('series');
  if (series.length === 0) {
    return {
      series: ['net/eth0/rx_bytes_per_second', 'net/eth0/tx_bytes_per_second'],
      bytes: 9e8,
      bytes_per_gpu: 1091584,
    };
  }
  const from = Number(query.get('from'));
  const to = Number(query.get('to'));
  const count = Math.min(Number(query.get('points')), 300);
  const step = Math.max(1, (to - from) / count);
  const range = Object.fromEntries(
    series.map((name, line) => {
      const most = /memory_mib/.test(name) ? gpuMib : /mib/.test(name) ? gpuMib / 2 : /per_second/.test(name) ? 1e8 : mostOf(name, gpus);
      const flat = name.endsWith('/memory_mib') || name === 'pool/gpus';
      const points = Array.from({ length: count }, (_, index) => {
        const time = Math.round(from + index * step);
        const value = flat ? most : (most / 2) * (1 + Math.sin(index / 20 + line)) * (0.5 + ((index * 7919) % 100) / 200);
        return [time, value, value * 1.1];
      });
      return [name, { step_s: Math.round(step), points }];
    }),
  );
  return { range };
}
