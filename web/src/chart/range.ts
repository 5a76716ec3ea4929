// How far back a chart goes: from five minutes to thirty days.
export const ranges = [
  { key: '5m', seconds: 300 },
  { key: '15m', seconds: 900 },
  { key: '1h', seconds: 3600 },
  { key: '6h', seconds: 6 * 3600 },
  { key: '24h', seconds: 24 * 3600 },
  { key: '7d', seconds: 7 * 24 * 3600 },
  { key: '30d', seconds: 30 * 24 * 3600 },
] as const;

export function secondsOf(key: string): number {
  return (ranges.find((range) => range.key === key) ?? ranges[2]).seconds;
}
