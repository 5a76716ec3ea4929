// Measurements, made ready for a chart: all lines over one axis of times.
import type { HistoryPoint } from '../rest/types';

export interface Line {
  name: string;
  points: HistoryPoint[];
  dashed?: boolean; // a limit, not a use
  tint?: number; // which colour; by its place in the chart without it
}

export interface Aligned {
  times: number[];
  values: (number | null)[][];
}

export function align(lines: Line[]): Aligned {
  const times = [...new Set(lines.flatMap((line) => line.points.map((point) => point[0])))].sort((a, b) => a - b);
  const at = new Map(times.map((time, index) => [time, index]));
  const values = lines.map((line) => {
    const row: (number | null)[] = new Array(times.length).fill(null);
    for (const [time, mean] of line.points) row[at.get(time)!] = mean;
    return row;
  });
  return { times, values };
}

// Points farther apart than this are not joined: the server was down between them.
export function gapOf(step: number): number {
  return Math.max(step, 1) * 3.5;
}

// The same axis with an empty point in each gap.
export function withGaps(aligned: Aligned, gap: number): Aligned {
  const times: number[] = [];
  const values: (number | null)[][] = aligned.values.map(() => []);
  aligned.times.forEach((time, index) => {
    const before = aligned.times[index - 1];
    if (before !== undefined && time - before > gap) {
      times.push(before + gap / 2);
      for (const row of values) row.push(null);
    }
    times.push(time);
    values.forEach((row, line) => row.push(aligned.values[line][index]));
  });
  return { times, values };
}

export function latest(points: HistoryPoint[]): number | null {
  return points.length ? points[points.length - 1][1] : null;
}

export function peak(points: HistoryPoint[]): number | null {
  return points.length ? points.reduce((most, point) => Math.max(most, point[2]), -Infinity) : null;
}
