// What the daemon calls the measurements that the charts show.
import { history } from '../rest/calls';
import type { Gpu, HistoryPoint } from '../rest/types';
import { secondsOf } from './range';

// Of the whole pool, and of the server alone, which is the same where it is the only one.
export const cluster = {
  total: ['pool/gpus', 'server/gpus'],
  allocated: ['pool/gpus_allocated', 'server/gpus_allocated'],
};

export function gpuSeries(gpu: Gpu, what: 'memory_mib' | 'allocated_mib' | 'memory_used_mib' | 'utilization_percent') {
  return `gpu/${gpu.uuid || gpu.ordinal}/${what}`;
}

// A client's GPUs are measured by the name that the list of clients has, made fit for the name of a series.
export function clientSeries(name: string): string {
  return `client/${name.replace(/[ /]/g, '_').slice(0, 64) || 'unnamed'}/gpus_allocated`;
}

export interface Period {
  from: number;
  to: number;
  stepS: number;
  points: (name: string) => HistoryPoint[];
}

const mostPoints = 300;

// The measurements of `names` in the period that the page's address says; without a server, of the one that answers.
export async function periodOf(names: string[], range: string, signal: AbortSignal, server?: string): Promise<Period> {
  const seconds = secondsOf(range);
  const to = Math.floor(Date.now() / 1000);
  const found = names.length ? await history(names, seconds, mostPoints, server, signal) : {};
  return {
    from: to - seconds,
    to,
    stepS: Math.max(1, ...Object.values(found).map((one) => one.step_s)),
    points: (name) => found[name]?.points ?? [],
  };
}
