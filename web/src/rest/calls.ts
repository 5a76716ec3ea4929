// Every call of the pages, by its meaning: the one place that knows the daemon's paths.
import { encode, request, requestFile } from './request';
import type {
  About,
  AuditEntry,
  Backup,
  Claim,
  Client,
  GpuSession,
  Health,
  LogLine,
  Range,
  Server,
  ServerDetail,
  Settings,
  Token,
  User,
} from './types';

type Signal = AbortSignal | undefined;

export async function servers(signal?: Signal): Promise<Server[]> {
  return (await request<{ servers: Server[] }>('GET', '/v1/servers', { signal })).servers;
}

export function server(id: string, signal?: Signal): Promise<ServerDetail> {
  return request('GET', `/v1/servers/${encode(id)}`, { signal });
}

export type ServerChange = { accepts?: boolean | null; metrics_interval_s?: number | null };

export function changeServer(id: string, change: ServerChange, etag?: string): Promise<Server> {
  return request('PUT', `/v1/servers/${encode(id)}`, { body: change, etag });
}

export function deleteServer(id: string, force: boolean, etag?: string): Promise<unknown> {
  return request('DELETE', `/v1/servers/${encode(id)}${force ? '?force=true' : ''}`, { etag });
}

export function health(id: string, signal?: Signal): Promise<Health> {
  return request('GET', `/v1/servers/${encode(id)}/health`, { signal });
}

export function countCheck(id: string, check: string, counted: boolean, etag?: string): Promise<unknown> {
  return request('PUT', `/v1/servers/${encode(id)}/health/${encode(check)}`, { body: { counted }, etag });
}

export interface LogPage {
  lines: LogLine[];
  next: number;
  lost?: number;
}

// Lines after `after` (null: the newest there are); waits so many seconds for one when there is none.
export function logs(
  id: string,
  level: string,
  after: number | null,
  waitS: number,
  signal?: Signal,
): Promise<LogPage> {
  const query = new URLSearchParams({ level, lines: '1000' });
  if (after !== null) {
    query.set('after', String(after));
    query.set('wait', String(waitS));
  }
  return request('GET', `/v1/servers/${encode(id)}/logs?${query}`, { signal });
}

export async function clients(signal?: Signal): Promise<Client[]> {
  return (await request<{ clients: Client[] }>('GET', '/v1/clients', { signal })).clients;
}

export type ClientChange = {
  enabled?: boolean;
  own_quota?: number | null;
  idle_limit_minutes?: number | null;
};

export function changeClient(id: string, change: ClientChange, etag?: string): Promise<Client> {
  return request('PUT', `/v1/clients/${encode(id)}`, { body: change, etag });
}

export function deleteClient(id: string, etag?: string): Promise<unknown> {
  return request('DELETE', `/v1/clients/${encode(id)}`, { etag });
}

// Sessions name their server by its id; people want its name.
export async function sessions(signal?: Signal): Promise<GpuSession[]> {
  const [all, hosts] = await Promise.all([
    request<{ sessions: GpuSession[] }>('GET', '/v1/sessions', { signal }),
    servers(signal),
  ]);
  const names = new Map(hosts.map((host) => [host.id, host.hostname]));
  return all.sessions.map((one) => ({ ...one, server_name: names.get(one.server) ?? one.server }));
}

export function endSession(id: string): Promise<unknown> {
  return request('DELETE', `/v1/leases/${encode(id)}`);
}

export async function claims(signal?: Signal): Promise<Claim[]> {
  return (await request<{ claims: Claim[] }>('GET', '/v1/claims', { signal })).claims;
}

export function cancelClaim(id: string): Promise<unknown> {
  return request('DELETE', `/v1/claims/${encode(id)}`);
}

export async function tokens(signal?: Signal): Promise<Token[]> {
  return (await request<{ tokens: Token[] }>('GET', '/v1/tokens', { signal })).tokens;
}

export interface TokenWish {
  description: string;
  role: string;
  shared: boolean;
  active: boolean;
  expires_in_s: number;
}

export function createToken(wish: TokenWish): Promise<Token> {
  return request('POST', '/v1/tokens', { body: wish });
}

export type TokenChange = {
  description?: string;
  active?: boolean;
  revoked?: true;
  enrolled?: false;
  expires_in_s?: number;
};

export function changeToken(id: string, change: TokenChange, etag?: string): Promise<Token> {
  return request('PUT', `/v1/tokens/${encode(id)}`, { body: change, etag });
}

export function deleteToken(id: string, etag?: string): Promise<unknown> {
  return request('DELETE', `/v1/tokens/${encode(id)}`, { etag });
}

export function tokenBundle(id: string): Promise<Blob> {
  return requestFile(`/v1/tokens/${encode(id)}/bundle`);
}

export async function users(signal?: Signal): Promise<User[]> {
  return (await request<{ users: User[] }>('GET', '/v1/users', { signal })).users;
}

export function createUser(name: string, password: string, role: string): Promise<User> {
  return request('POST', '/v1/users', { body: { name, password, role } });
}

export function changeUser(name: string, change: { password?: string; role?: string }, etag?: string): Promise<User> {
  return request('PUT', `/v1/users/${encode(name)}`, { body: change, etag });
}

export function deleteUser(name: string, etag?: string): Promise<unknown> {
  return request('DELETE', `/v1/users/${encode(name)}`, { etag });
}

export function settings(signal?: Signal): Promise<Settings> {
  return request('GET', '/v1/settings', { signal });
}

export function changeSettings(change: Partial<Settings>, etag?: string): Promise<Settings> {
  return request('PUT', '/v1/settings', { body: change, etag });
}

// Series that are asked for in one request; the daemon takes no more.
const mostSeries = 64;

export async function history(
  names: string[],
  seconds: number,
  points: number,
  server?: string,
  signal?: Signal,
): Promise<Record<string, Range>> {
  const to = Math.floor(Date.now() / 1000);
  const groups: string[][] = [];
  for (let at = 0; at < names.length; at += mostSeries) groups.push(names.slice(at, at + mostSeries));
  const answers = await Promise.all(
    groups.map((group) => {
      const query = new URLSearchParams({ from: String(to - seconds), to: String(to), points: String(points) });
      if (server) query.set('server', server);
      // Twice, where there is one alone: a list of one is answered as a list.
      for (const name of group.length === 1 ? [group[0], group[0]] : group) query.append('series', name);
      return request<{ range: Record<string, Range> }>('GET', `/v1/history?${query}`, { signal });
    }),
  );
  return Object.assign({}, ...answers.map((answer) => answer.range));
}

export async function historyNames(prefix: string, server?: string, signal?: Signal): Promise<string[]> {
  const query = new URLSearchParams({ prefix });
  if (server) query.set('server', server);
  return (await request<{ series: string[] }>('GET', `/v1/history?${query}`, { signal })).series;
}

export interface AuditPage {
  entries: AuditEntry[];
  next: number | null;
}

export function audit(before: number | null, limit: number, signal?: Signal): Promise<AuditPage> {
  return request('GET', `/v1/audit?limit=${limit}${before === null ? '' : `&before=${before}`}`, { signal });
}

export async function backups(signal?: Signal): Promise<Backup[]> {
  return (await request<{ backups: Backup[] }>('GET', '/v1/backups', { signal })).backups;
}

export function createBackup(name: string): Promise<Backup> {
  return request('POST', '/v1/backups', { body: { name } });
}

export function backupFile(name: string): Promise<Blob> {
  return requestFile(`/v1/backups/${encode(name)}`);
}

export function deleteBackup(name: string): Promise<unknown> {
  return request('DELETE', `/v1/backups/${encode(name)}`);
}

export function restore(file: Blob): Promise<Backup> {
  return request('POST', '/v1/restore', { file });
}

// The server that serves these pages, and what its history takes on the disk.
export async function about(signal?: Signal): Promise<{ self: ServerDetail; about: About }> {
  const [self, facts] = await Promise.all([
    request<ServerDetail>('GET', '/v1/server', { signal }),
    request<About>('GET', '/v1/about', { signal }),
  ]);
  return { self, about: facts };
}
