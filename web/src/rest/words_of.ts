// What the daemon tells, in the reader's words.
import { gpus as gpusText, mib } from '../number/amount';
import { t } from '../text/words.svelte';
import type { Grade, GpuSession, Part, Server } from './types';

export type Kind = 'good' | 'warn' | 'bad' | 'quiet';

export function allocatedGpus(server: { gpus: { memory_mib: number; free_mib: number }[] }): number {
  return server.gpus.reduce(
    (sum, gpu) => sum + (gpu.memory_mib > 0 ? 1 - Math.min(gpu.free_mib, gpu.memory_mib) / gpu.memory_mib : 0),
    0,
  );
}

export function serverState(server: Server): { kind: Kind; text: string } {
  if (!server.up) return { kind: 'bad', text: t('server.down') };
  if (!server.accepts) return { kind: 'warn', text: t('server.draining') };
  return { kind: 'good', text: t('server.up') };
}

export function gradeKind(grade: Grade | 'unknown' | null | undefined): Kind {
  return grade === 'pass' ? 'good' : grade === 'marginal' ? 'warn' : grade === 'fatal' ? 'bad' : 'quiet';
}

export function gradeText(grade: Grade | 'unknown' | null | undefined): string {
  return t(`health.${grade ?? 'unknown'}`);
}

export function partText(session: { memory_mib: number }, part: Part): string {
  return session.memory_mib === 0
    ? t('session.whole', { ordinal: part.ordinal })
    : t('session.part', { memory: mib(part.memory_mib), ordinal: part.ordinal });
}

export function partsText(session: GpuSession): string {
  return session.devices.map((part) => partText(session, part)).join(', ');
}

export function shareText(allocated: number, total: number): string {
  return `${gpusText(allocated)} / ${total}`;
}
