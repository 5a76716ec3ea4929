// Times: the daemon tells them as seconds since 1970 or as ISO 8601; people read them in their own zone.
export function instant(value: string | number | null | undefined): Date | null {
  if (value === null || value === undefined || value === '' || value === 0) return null;
  const date = new Date(typeof value === 'number' ? value * 1000 : value);
  return Number.isNaN(date.getTime()) ? null : date;
}

// 2026-11-22 04:10:09, in the reader's zone: one form that no country reads otherwise, and that sorts.
export function moment(value: string | number | null | undefined): string {
  const date = instant(value);
  if (!date) return '';
  const two = (part: number) => String(part).padStart(2, '0');
  return (
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  );
}

// What a tick of an axis says: the clock, and the day where the axis is longer than one.
export function tick(seconds: number, span: number): string {
  const text = moment(seconds);
  if (span > 4 * 86400) return text.slice(5, 10);
  if (span > 86400) return text.slice(5, 16);
  return span > 900 ? text.slice(11, 16) : text.slice(11);
}

export function iso(value: string | number | null | undefined): string {
  return instant(value)?.toISOString() ?? '';
}

// 12 s, 5 min 3 s, 2 h 10 min, 3 d 4 h. The units are those of the SI and those beside it: the same in every language.
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined || !Number.isFinite(seconds)) return '';
  const whole = Math.max(0, Math.floor(seconds));
  const parts: [number, string][] = [
    [Math.floor(whole / 86400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  if (first < 0) return '0 s';
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value} ${unit}`)
    .join(' ');
}
