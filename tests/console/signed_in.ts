// A window in which somebody has signed in.
import type { Page } from 'playwright-core';
import { openWindow, type Window } from './browser';
import { admin, type Daemon } from './daemon';

export async function signIn(page: Page, who: { name: string; password: string } = admin): Promise<void> {
  await page.getByLabel('User name').fill(who.name);
  await page.getByLabel('Password').fill(who.password);
  await page.getByRole('button', { name: 'Sign in' }).click();
}

export async function signedIn(
  daemon: Daemon,
  who: { name: string; password: string } = admin,
  options: Parameters<typeof openWindow>[1] = {},
): Promise<Window> {
  const window = await openWindow(daemon.url, options);
  await window.page.goto(daemon.url + '/');
  await signIn(window.page, who);
  await window.page.getByRole('button', { name: 'Sign out' }).waitFor();
  return window;
}

// Goes to a page of the console.
export async function go(page: Page, address: string): Promise<void> {
  await page.evaluate(`location.hash = '#/about?from=test'`);
  await page.waitForSelector('[data-fact="version"]');
  await page.evaluate(`location.hash = ${JSON.stringify('#/' + address)}`);
  await page.waitForSelector('[data-fact="version"]', { state: 'detached' });
}

// The text of the news that an action leaves.
export async function news(page: Page, text: string | RegExp): Promise<void> {
  await page.locator('.notices').getByText(text).first().waitFor();
}

// The answer to the question whether it is meant.
export async function confirm(page: Page, action: string, typed?: string): Promise<string> {
  const dialog = page.locator('dialog[open]');
  const told = await dialog.innerText();
  if (typed !== undefined) await dialog.getByRole('textbox').fill(typed);
  await dialog.getByRole('button', { name: action, exact: true }).click();
  await dialog.waitFor({ state: 'detached' });
  return told;
}
