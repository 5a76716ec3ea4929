// Two administrators who change the same thing at once: the one in the browser has it open while the other, at the command
// line, changes it. Whoever comes second is told, and nothing of the first is lost unasked.
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Window } from './browser';
import { Daemon } from './daemon';
import { go, news, signedIn } from './signed_in';

interface Row {
  id: string;
  [key: string]: unknown;
}

const daemon = new Daemon();
let window: Window;
let server: Row;
let client: Row;
let token: Row;

const list = async (noun: string, key = noun + 's') => (await daemon.json<Record<string, Row[]>>(noun, 'list'))[key];
const done = async (...words: string[]) => expect((await daemon.cli(...words)).err, words.join(' ')).not.toMatch(/rror/);
const theServer = async () => (await list('servers', 'servers'))[0];
const theClient = async () => (await list('clients', 'clients'))[0];
const theToken = async () => (await list('token')).find((one) => one.id === token.id);
const eve = async () => (await list('user')).find((one) => one.name === 'eve');

beforeAll(async () => {
  await daemon.start();
  await daemon.addAdministrator();
  await daemon.cliWith('a long enough one\n', 'user', 'create', 'eve', '--role', 'viewer');
  await done('token', 'create', '--description', 'rack 7');
  token = (await list('token')).find((one) => one.description === 'rack 7')!;
  await done('run', '-n', '1', '--', 'true');
  server = await theServer();
  client = await theClient();
  window = await signedIn(daemon);
});
afterAll(async () => {
  await window?.close();
  await daemon.stop();
});

describe('a dialog tells of it, and lets choose', () => {
  const conflict = () => window.page.getByText('Somebody else changed this meanwhile').waitFor();
  const save = () => window.page.locator('dialog[open]').getByRole('button', { name: 'Save', exact: true }).click();
  const choose = (name: string) => window.page.getByRole('button', { name }).click();

  test('of a token', async () => {
    await go(window.page, `tokens?edit=${token.id}`);
    const description = window.page.locator('dialog[open]').getByLabel('Description');
    await description.fill('rack 9');
    await done('token', 'deactivate', token.id);
    await save();
    await conflict();
    expect(await theToken()).toMatchObject({ description: 'rack 7', state: 'inactive' });
    await choose('Save mine all the same');
    await news(window.page, 'Token saved');
    expect(await theToken()).toMatchObject({ description: 'rack 9', state: 'inactive' });
  });

  test('of a user', async () => {
    await go(window.page, 'users?edit=eve');
    const role = window.page.locator('dialog[open]').getByLabel('Role');
    await role.selectOption('admin');
    await done('user', 'role', 'eve', 'operator');
    await save();
    await conflict();
    expect((await eve())?.role).toBe('operator');
    await choose('Take what holds now');
    expect(await role.inputValue()).toBe('operator');
    await role.selectOption('viewer');
    await save();
    await news(window.page, 'eve is saved');
    expect((await eve())?.role).toBe('viewer');
  });

  test('of a server', async () => {
    await go(window.page, `servers/${server.id}?dialog=settings`);
    await window.page.getByLabel('Metrics interval in seconds').fill('7');
    await done('servers', 'drain', server.id);
    await save();
    await conflict();
    expect(await theServer()).toMatchObject({ accepts: false, own_metrics_interval_s: null });
    await choose('Take what holds now');
    expect(await window.page.getByLabel('Allow new client connections').isChecked()).toBe(false);
    await window.page.keyboard.press('Escape');
    await done('servers', 'accept', server.id);
  });

  test('of the checks, when two look at them', async () => {
    const other = await signedIn(daemon);
    try {
      // He hears of nothing: what he sees is as old as his dialog.
      await window.page.route('**/v1/events', (route) => route.abort());
      await window.page.reload();
      await window.page.getByLabel('Refresh', { exact: true }).selectOption('0');
      for (const one of [window, other]) {
        await go(one.page, `servers/${server.id}?dialog=health`);
        await one.page.getByRole('switch', { name: 'bogomips counts' }).click();
      }
      await other.page.getByRole('button', { name: 'Save and exit' }).click();
      await news(other.page, '1 checks changed');
      await window.page.getByRole('button', { name: 'Save and exit' }).click();
      await expect.poll(() => window.page.locator('dialog [role=alert]').innerText()).toContain('somebody else has changed it');
      // What holds is there again, and both want the same.
      await window.page.getByRole('button', { name: 'Save and exit' }).click();
      await window.page.locator('dialog[open]').waitFor({ state: 'detached' });
    } finally {
      await window.page.unroute('**/v1/events');
      await other.close();
    }
  });
});

describe('a question that was answered too late does nothing', () => {
  const asked = async (address: string, action: string | RegExp, typed = '') => {
    const { page } = window;
    await go(page, address);
    await page.locator('main').getByRole('button', { name: action, exact: true }).first().click();
    if (typed) await page.locator('dialog[open]').getByRole('textbox').fill(typed);
  };
  const refused = async () => {
    const dialog = window.page.locator('dialog[open]');
    await dialog.locator('button.danger, button.main').last().click();
    await expect.poll(() => dialog.getByRole('alert').innerText()).toContain('somebody else has changed it meanwhile');
    await dialog.getByRole('button', { name: 'Cancel' }).click();
  };

  test('of a token', async () => {
    await go(window.page, 'tokens');
    await window.page.locator(`tr[data-key="${token.id}"] button[aria-haspopup=menu]`).click();
    await window.page.getByRole('menuitem', { name: 'Delete', exact: true }).click();
    await done('token', 'activate', token.id);
    await refused();
    expect((await theToken())?.state).toBe('active');
  });

  test('of a user', async () => {
    await asked('users', 'Delete: eve');
    await done('user', 'role', 'eve', 'operator');
    await refused();
    expect((await eve())?.role).toBe('operator');
  });

  test.each(['Disable', 'Delete'])('of a client: %s', async (action) => {
    await asked(`clients/${client.id}`, action);
    await done('clients', 'quota', client.id, action === 'Disable' ? '3' : '4');
    await refused();
    expect((await theClient())?.enabled).toBe(true);
  });

  test.each(['Drain', 'Delete'])('of a server: %s', async (action) => {
    await asked(`servers/${server.id}`, action, action === 'Delete' ? String(server.hostname) : '');
    await done('servers', 'drain', server.id);
    await refused();
    expect((await theServer())?.accepts).toBe(false);
    await done('servers', 'accept', server.id);
  });

  test('and nothing is amiss', () => {
    expect(window.problems.filter((one) => !one.includes('net::ERR_FAILED'))).toEqual([]);
    expect(window.foreign).toEqual([]);
  });
});
