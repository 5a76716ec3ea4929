// Numbers as people read them. Units of memory are powers of 1024, as the daemon counts.
const steps = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '';
  let step = 0;
  let rest = Math.abs(value);
  while (rest >= 1024 && step < steps.length - 1) {
    rest /= 1024;
    step += 1;
  }
  const text = step === 0 ? String(Math.round(rest)) : rest < 10 ? rest.toFixed(1) : rest.toFixed(0);
  return `${value < 0 ? '-' : ''}${text} ${steps[step]}`;
}

export function mib(value: number | null | undefined): string {
  return value === null || value === undefined ? '' : bytes(value * 1024 * 1024);
}

export function bytesPerSecond(value: number | null | undefined): string {
  const text = bytes(value);
  return text && text + '/s';
}

export function percent(value: number | null | undefined): string {
  return value === null || value === undefined || !Number.isFinite(value) ? '' : `${Math.round(value)} %`;
}

// A number of GPUs: 2, 0.5, 0.33.
export function gpus(value: number | null | undefined): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return '';
  return String(Math.round(value * 100) / 100);
}

export function count(value: number | null | undefined, language: string): string {
  return value === null || value === undefined ? '' : value.toLocaleString(language);
}
