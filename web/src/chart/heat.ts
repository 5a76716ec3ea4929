// The heat map of a server: how much each GPU was used in each part of the period. Use is the mean of the share of
// its memory that is allocated and of its compute use, each with the weight one half.
import type { HistoryPoint } from '../rest/types';

export const memoryWeight = 0.5;
export const computeWeight = 0.5;

export interface HeatCell {
  from: number;
  to: number;
  memory: number | null; // 0 to 1
  compute: number | null;
  use: number | null;
}

export function heatRow(
  allocated: HistoryPoint[],
  capacity: number,
  compute: HistoryPoint[],
  from: number,
  to: number,
  cells: number,
): HeatCell[] {
  const width = (to - from) / cells;
  return Array.from({ length: cells }, (_, index) => {
    const start = from + index * width;
    const memoryMean = meanWithin(allocated, start, start + width);
    const computeMean = meanWithin(compute, start, start + width);
    const memory = memoryMean === null || capacity <= 0 ? null : clamp(memoryMean / capacity);
    const percent = computeMean === null ? null : clamp(computeMean / 100);
    return { from: start, to: start + width, memory, compute: percent, use: weighted(memory, percent) };
  });
}

// A GPU that does not tell its compute use counts by its memory alone.
export function weighted(memory: number | null, compute: number | null): number | null {
  if (memory === null) return compute;
  if (compute === null) return memory;
  return memory * memoryWeight + compute * computeWeight;
}

function meanWithin(points: HistoryPoint[], from: number, to: number): number | null {
  let sum = 0;
  let count = 0;
  for (const [time, mean] of points) {
    if (time < from || time >= to) continue;
    sum += mean;
    count += 1;
  }
  return count ? sum / count : null;
}

function clamp(value: number): number {
  return Math.min(1, Math.max(0, value));
}
