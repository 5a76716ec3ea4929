// Who gets in, who does not, and how a session ends.
import { join } from 'node:path';
import type { Route } from 'playwright-core';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { seriousFindings } from './accessible';
import { openWindow, type Window } from './browser';
import { admin, Daemon } from './daemon';
import { pictures } from './places';
import { confirm, go, news, signedIn, signIn } from './signed_in';

const daemon = new Daemon();
let window: Window;

beforeAll(async () => {
  await daemon.start();
  await daemon.addAdministrator();
  window = await openWindow(daemon.url);
});
afterAll(async () => {
  await window?.close();
  await daemon.stop();
});

test.each(['light', 'dark'] as const)('the page to sign in, %s', async (colorScheme) => {
  await window.page.emulateMedia({ colorScheme });
  await window.page.goto(daemon.url + '/');
  await window.page.getByLabel('User name').waitFor();
  expect(window.page.url()).toContain('/console/');
  await window.page.screenshot({ path: join(pictures(), `sign-in-${colorScheme}.png`) });
  expect(await seriousFindings(window.page)).toEqual([]);
  await window.page.emulateMedia({ colorScheme: 'light' });
});

test('nobody gets in with a wrong password, and it is not said which was wrong', async () => {
  const { page } = window;
  await signIn(page, { name: admin.name, password: 'wrong password' });
  await page.getByText('The name or the password is wrong.').waitFor();
  expect(await page.getByLabel('Password').inputValue()).toBe('');
  await signIn(page, { name: 'nobody', password: 'wrong password' });
  await page.getByText('The name or the password is wrong.').waitFor();
  expect(await page.getByRole('button', { name: 'Sign out' }).count()).toBe(0);
});

test('too many wrong ones have to wait, and are told how long', async () => {
  const { page } = window;
  for (let attempt = 0; attempt < 6; ++attempt) {
    await signIn(page, { name: 'eve', password: `guess ${attempt}....` });
    await expect.poll(() => page.getByRole('alert').innerText()).not.toBe('');
    await expect.poll(() => page.getByRole('button', { name: 'Sign in' }).isEnabled()).toBe(true);
  }
  expect(await page.getByRole('alert').innerText()).toMatch(/Too many attempts. Try again in \d+ s/);
});

test('who signs in comes to the page that he wanted, with a cookie that no script sees', async () => {
  const { page, context } = window;
  await page.goto(daemon.url + '/console/#/queue');
  await signIn(page);
  await page.getByText('Nobody waits').waitFor();
  const cookies = await context.cookies(daemon.url);
  expect(cookies).toHaveLength(1);
  expect(cookies[0]).toMatchObject({ secure: true, httpOnly: true, sameSite: 'Strict', path: '/' });
  expect(await page.evaluate('document.cookie')).toBe('');
  expect(await page.evaluate('JSON.stringify(localStorage) + JSON.stringify(sessionStorage)')).not.toContain(
    cookies[0].value,
  );
  await page.reload();
  await page.getByText('Nobody waits').waitFor();
});

test('nothing is changed for a request without the token of the session', async () => {
  const status = await window.page.evaluate(
    "fetch('/v1/tokens', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{}'}).then((r) => r.status)",
  );
  expect(status).toBe(403);
  expect((await daemon.json<{ tokens: unknown[] }>('token', 'list')).tokens).toHaveLength(1);
});

test('the pages cannot be framed and run no scripts of strangers', async () => {
  const response = await window.context.request.get(daemon.url + '/console/');
  const policy = response.headers()['content-security-policy'];
  expect(policy).toContain("frame-ancestors 'none'");
  expect(policy).not.toContain('unsafe');
  expect(response.headers()['x-content-type-options']).toBe('nosniff');
});

test('one changes his own password, and other sessions end', async () => {
  const other = await signedIn(daemon);
  const { page } = window;
  try {
    await page.getByRole('button', { name: 'ann (administrator)' }).click();
    const dialog = page.locator('dialog[open]');
    await dialog.getByLabel('Present password').fill('not this one');
    await dialog.getByLabel('New password', { exact: true }).fill('another password');
    await dialog.getByLabel('New password, again').fill('another pass word');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await dialog.getByText('The two new passwords differ').waitFor();
    await dialog.getByLabel('New password, again').fill('another password');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await expect.poll(() => dialog.getByRole('alert').innerText()).toMatch(/^(?!.*differ).{5}/);
    await dialog.getByLabel('Present password').fill(admin.password);
    await dialog.getByRole('button', { name: 'Save' }).click();
    await news(page, 'Password changed');
    await go(page, 'servers');
    await page.waitForSelector('tr[data-key]');
    await other.page.getByRole('button', { name: 'Refresh now' }).click();
    await other.page.getByText('Your session is over').waitFor();
    await signIn(other.page, { name: admin.name, password: 'another password' });
    await other.page.getByRole('button', { name: 'Sign out' }).waitFor();
  } finally {
    await other.close();
  }
});

test('what was asked with the session before the change signs nobody out', async () => {
  const { page } = window;
  const held: Route[] = [];
  await page.route('**/v1/servers', (route) => void held.push(route), { times: 1 });
  await go(page, 'servers');
  await expect.poll(() => held.length).toBe(1);
  await page.getByRole('button', { name: 'ann (administrator)' }).click();
  const dialog = page.locator('dialog[open]');
  await dialog.getByLabel('Present password').fill('another password');
  await dialog.getByLabel('New password', { exact: true }).fill('a third password');
  await dialog.getByLabel('New password, again').fill('a third password');
  await dialog.getByRole('button', { name: 'Save' }).click();
  await dialog.waitFor({ state: 'detached' });
  await held[0].fulfill({ status: 401, json: { error: 'the session is over; sign in again' } });
  await page.getByText('the session is over; sign in again').waitFor(); // it has come
  await page.getByRole('button', { name: 'Refresh now' }).click();
  await page.waitForSelector('tr[data-key]');
  await page.getByRole('button', { name: 'Sign out' }).waitFor();
});

test('a session of somebody who is deleted is over at once', async () => {
  const eve = { name: 'eve2', password: 'something longer' };
  await daemon.cliWith(eve.password + '\n', 'user', 'create', eve.name, '--role', 'viewer');
  const other = await signedIn(daemon, eve);
  try {
    await go(window.page, 'users');
    await window.page.getByRole('button', { name: 'Delete: eve2' }).click();
    expect(await confirm(window.page, 'Delete')).toContain('eve2 is signed out at once');
    await other.page.getByRole('button', { name: 'Refresh now' }).click();
    await other.page.getByText('Your session is over').waitFor();
  } finally {
    await other.close();
  }
});

test('a server that dies is told of, and the page goes on when it is back', async () => {
  const { page } = window;
  await go(page, 'servers');
  await page.getByLabel('Refresh', { exact: true }).selectOption('2');
  await page.waitForSelector('tr[data-key]');
  const port = Number(daemon.address.split(':')[1]);
  await daemon.kill();
  await page.getByText('The server does not answer. It is tried again').waitFor();
  expect(await page.locator('tr[data-key]').count()).toBe(1);
  await page.waitForSelector('[aria-label="Changes are not pushed just now"]');
  await daemon.start(port);
  await page.getByText('The server does not answer').waitFor({ state: 'detached', timeout: 30_000 });
  await page.waitForSelector('[aria-label="Changes are pushed"]', { timeout: 60_000 });
});

test('who signs out is out, on the server too', async () => {
  const { page, context } = window;
  const cookies = await context.cookies(daemon.url);
  await page.getByRole('button', { name: 'Sign out' }).click();
  await page.getByLabel('User name').waitFor();
  await context.addCookies(cookies);
  await page.reload();
  await page.getByLabel('User name').waitFor();
  expect(window.problems).toEqual([]);
  expect(window.foreign).toEqual([]);
});
