// Debian's Chromium, without a window, with a profile of its own that is thrown away.
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium, type Download, type Locator, type Page } from 'playwright-core';

const paths = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

export function browserPath(): string | null {
  for (const path of paths) {
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // the next one
    }
  }
  return null;
}

export interface Window {
  page: Page;
  context: BrowserContext;
  problems: string[]; // what the pages complained of: errors, violations of the policy
  foreign: string[]; // requests to anybody else
  close: () => Promise<void>;
}

export async function openWindow(
  home: string,
  options: { width?: number; height?: number; dark?: boolean; locale?: string } = {},
): Promise<Window> {
  const folder = mkdtempSync(join(tmpdir(), 'bitfusion-browser-'));
  const context = await chromium.launchPersistentContext(folder, {
    executablePath: browserPath()!,
    headless: true,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
    ignoreHTTPSErrors: true,
    acceptDownloads: true,
    viewport: { width: options.width ?? 1280, height: options.height ?? 720 },
    colorScheme: options.dark ? 'dark' : 'light',
    locale: options.locale ?? 'en-US',
    timezoneId: 'UTC',
  });
  const page = context.pages()[0] ?? (await context.newPage());
  page.setDefaultTimeout(30_000);
  const problems: string[] = [];
  const foreign: string[] = [];
  page.on('pageerror', (error) => problems.push(`error: ${error.message}`));
  page.on('console', (message) => {
    const text = message.text();
    // The browser's own line for an answer that is not 2xx; what the page makes of it is tested.
    if (message.type() === 'error' && !text.startsWith('Failed to load resource')) problems.push(text);
  });
  context.on('request', (request) => {
    const url = request.url();
    if (!url.startsWith(home) && !url.startsWith('data:') && !url.startsWith('blob:')) foreign.push(url);
  });
  return {
    page,
    context,
    problems,
    foreign,
    close: async () => {
      await context.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

// What a press of this button saves. A page that still grows may move it away between the aim and the press.
export async function downloaded(button: Locator): Promise<Download> {
  for (let tries = 1; ; ++tries) {
    const download = button.page().waitForEvent('download', { timeout: tries < 3 ? 5_000 : 30_000 });
    try {
      const [file] = await Promise.all([download, button.click()]);
      return file;
    } catch (error) {
      if (tries === 3) throw error;
    }
  }
}
