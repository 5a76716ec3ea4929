// Folders that the runner of these tests names.
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

function named(variable: string): string {
  const folder = process.env[variable];
  if (!folder) throw new Error(`${variable} names no folder; run the tests by ./test.sh or as docs/console.md says`);
  return folder;
}

// The build folder, with bin/bitfusion and share/bitfusion/console.
export const build = () => named('BITFUSION_BUILD');
export const consoleFolder = () => join(build(), 'share/bitfusion/console');

export function pictures(): string {
  const folder = process.env.BITFUSION_PICTURES ?? join(build(), 'reports/console');
  mkdirSync(folder, { recursive: true });
  return folder;
}
