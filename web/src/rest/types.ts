// What the daemon answers, as /v1/openapi.json describes it: memory in MiB, GPUs as fractions of whole ones. A field
// that an older server of the pool does not tell is optional.

export type Role = 'client' | 'viewer' | 'operator' | 'admin';
export type Grade = 'pass' | 'marginal' | 'fatal';

export interface Session {
  name: string;
  role: Role;
  csrf: string;
  expires?: string | null;
  insecure?: boolean;
}

export interface Gpu {
  ordinal: number;
  uuid?: string;
  name: string;
  memory_mib: number;
  free_mib: number;
  memory_used_mib?: number | null;
  utilization_percent?: number | null;
  temperature_c?: number | null;
  fan_percent?: number | null;
  power_w?: number | null;
  power_limit_w?: number | null;
  capability?: string | null;
  pci?: string | null;
  performance_state?: string | null;
  ecc_errors?: number | null;
}

export interface Server {
  id: string;
  hostname: string;
  address: string;
  up: boolean;
  accepts: boolean;
  leader?: boolean;
  health?: Grade | 'unknown' | null;
  leases?: number;
  self?: boolean;
  own_accepts?: boolean | null; // null: as the pool has it
  metrics_interval_s?: number | null;
  own_metrics_interval_s?: number | null;
  version?: string | null;
  gpus: Gpu[];
  etag?: string;
}

// One server in full: what it measured last.
export interface ServerDetail {
  id: string;
  hostname: string;
  version: string;
  protocol: number;
  leader: boolean;
  accepts: boolean;
  secure: boolean;
  control_address: string;
  data_address: string;
  backend: string;
  driver_version: string;
  cuda_version: number;
  inventory_error: string;
  running_tasks: number;
  gpus: Gpu[];
}

export interface Client {
  id: string;
  name: string;
  version?: string | null;
  enabled: boolean;
  held: number;
  quota: number;
  own_quota?: number | null;
  idle_limit_minutes?: number | null;
  auto_release_seconds?: number | null;
  leases?: number;
  waiting?: number;
  last_seen?: string | null;
  etag?: string;
}

export interface Part {
  ordinal: number;
  uuid?: string;
  name?: string;
  memory_mib: number;
  used_mib?: number;
}

export interface GpuSession {
  id: string;
  client: string;
  client_name?: string;
  host: string;
  user: string;
  pid: number;
  program: string;
  server: string;
  server_name?: string; // not told: found in the list of servers
  state: string;
  since: string;
  round_trips?: number | null;
  sent_bytes?: number | null;
  received_bytes?: number | null;
  idle_s?: number | null;
  memory_mib: number; // of each GPU; 0: whole ones
  devices: Part[];
}

export interface Claim {
  id: string;
  client: string;
  client_name?: string;
  place: number;
  gpus: number;
  asks: string;
  since?: string | null;
  text?: string;
}

export interface Token {
  id: string;
  description: string;
  role: Role;
  state: 'active' | 'inactive' | 'expired' | 'revoked';
  shared: boolean;
  host: string;
  enrolled: boolean;
  created: string;
  expires: string | null;
  token?: string;
  etag?: string;
}

export interface User {
  name: string;
  role: Role;
  created?: string;
  etag?: string;
}

export interface Settings {
  quota: number;
  idle_limit_minutes: number;
  auto_release_seconds?: number;
  accepts?: boolean;
  metrics_interval_s?: number | null; // null: as each server was started with
  etag?: string;
}

export interface Check {
  status: Grade;
  type: string;
  name: string;
  details: string;
  counted: boolean;
  etag?: string;
}

export interface Health {
  status: Grade;
  checks: Check[];
}

export interface Backup {
  name: string;
  created: number | string;
  version: string;
  pool: string;
  bytes: number;
  files: number;
}

export interface About {
  version: string;
  pool?: string;
  uptime_s?: number;
  history?: { bytes: number; bytes_per_gpu: number; source?: string | null } | null;
}

export interface LogLine {
  seq: number;
  time: string;
  level: string;
  part: string;
  text: string;
}

export interface AuditEntry {
  seq: number;
  time: string;
  who: string;
  role: string;
  from: string;
  what: string;
  subject: string;
  change?: unknown;
  status: number;
  outcome: string;
}

export type HistoryPoint = [time: number, mean: number, peak: number];

export interface Range {
  step_s: number;
  points: HistoryPoint[];
}
