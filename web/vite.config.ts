import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Relative: the daemon decides under which path the pages stand.
  base: './',
  plugins: [svelte()],
  build: {
    target: 'es2022',
    // Nothing is put into the page as data: or as an inline script, which the content security policy forbids.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
  },
  // tests/ is tests/console of the repository, which the build puts there.
  test: {
    include: ['src/**/*.test.ts', 'tests/**/*.test.ts'],
    environment: 'node',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    fileParallelism: false,
    expect: { poll: { timeout: 20_000 } },
  },
});
