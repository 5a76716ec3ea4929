// What this browser keeps of the reader's choices: theme, language, pace. Nothing of the pool. A browser that keeps
// nothing (private windows may not) is no reason to fail.
const prefix = 'bitfusion.';

export function kept(name: string): string | null {
  try {
    return localStorage.getItem(prefix + name);
  } catch {
    return null;
  }
}

export function keep(name: string, value: string): void {
  try {
    localStorage.setItem(prefix + name, value);
  } catch {
    // The choice lasts as long as the page.
  }
}
