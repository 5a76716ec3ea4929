// Tokens, users, settings and backups: what an administrator does, looked at through the command line.
import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Window } from './browser';
import { Daemon } from './daemon';
import { confirm, go, news, signedIn } from './signed_in';

interface Row {
  id: string;
  [key: string]: unknown;
}

const daemon = new Daemon();
let window: Window;

beforeAll(async () => {
  await daemon.start();
  await daemon.addAdministrator();
  window = await signedIn(daemon);
});
afterAll(async () => {
  await window?.close();
  await daemon.stop();
});

describe('a token', () => {
  const other = join(daemon.folder, 'other');
  const all = async () => (await daemon.json<{ tokens: Row[] }>('token', 'list')).tokens;
  const one = async () => (await all()).find((token) => token.description === 'rack 7 <b>');
  const choose = async (id: string, item: string) => {
    await window.page.locator(`tr[data-key="${id}"] button[aria-haspopup=menu]`).click();
    await window.page.getByRole('menuitem', { name: item, exact: true }).click();
  };

  test('is made, shown once, and its bundle lets a machine in', async () => {
    const { page } = window;
    await go(page, 'tokens');
    await page.getByRole('button', { name: 'New token' }).click();
    const dialog = page.locator('dialog[open]');
    await dialog.getByLabel('Description').fill('rack 7 <b>');
    await dialog.getByLabel('Expires in days').fill('30');
    await dialog.getByLabel('For many machines').check();
    await dialog.getByRole('button', { name: 'New token' }).click();
    expect(await dialog.locator('[data-secret]').innerText()).toMatch(/^bf-/);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      dialog.getByRole('button', { name: 'Download bundle' }).click(),
    ]);
    mkdirSync(join(other, '.bitfusion'), { recursive: true });
    execFileSync('tar', ['-C', join(other, '.bitfusion'), '-xf', (await download.path())!]);
    await dialog.getByRole('button', { name: 'Close' }).last().click();
    expect(await one()).toMatchObject({ role: 'client', state: 'active', shared: true });
    expect((await daemon.cliOf(other, 'list_gpus')).code).toBe(0);
    await page.getByText('rack 7 <b>').waitFor();
  });

  test('is deactivated and activated', async () => {
    const { page } = window;
    const id = (await one())!.id;
    await choose(id, 'Deactivate');
    expect(await confirm(page, 'Deactivate')).toContain('rack 7 <b>');
    await news(page, 'Token inactive');
    expect((await one())?.state).toBe('inactive');
    const refused = await daemon.cliOf(other, 'list_gpus');
    expect(refused.code).not.toBe(0);
    await page.locator(`tr[data-key="${id}"]`).getByText('inactive').waitFor();
    await choose(id, 'Activate');
    await news(page, 'Token active');
    expect((await daemon.cliOf(other, 'list_gpus')).code).toBe(0);
  });

  test('is edited', async () => {
    const { page } = window;
    const id = (await one())!.id;
    await choose(id, 'Edit');
    const dialog = page.locator('dialog[open]');
    await dialog.getByLabel('Description').fill('rack 8');
    await dialog.getByLabel('Expires in days').fill('1');
    await dialog.getByRole('button', { name: 'Save' }).click();
    await news(page, 'Token saved: rack 8');
    const token = (await all()).find((row) => row.id === id)!;
    expect(token.description).toBe('rack 8');
    const left = Date.parse(String(token.expires)) - Date.now();
    expect(left).toBeGreaterThan(23 * 3600_000);
    expect(left).toBeLessThan(25 * 3600_000);
  });

  test('is deleted, and is of no use then', async () => {
    const { page } = window;
    const id = (await all()).find((row) => row.description === 'rack 8')!.id;
    await choose(id, 'Delete');
    expect(await confirm(page, 'Delete')).toMatch(/rack 8 .* is refused from now on/);
    await news(page, 'Token deleted');
    expect((await all()).some((row) => row.id === id)).toBe(false);
    expect((await daemon.cliOf(other, 'list_gpus')).code).not.toBe(0);
  });
});

describe('a user', () => {
  const eve = { name: 'eve', password: 'a long enough one' };
  const all = async () => (await daemon.json<{ users: { name: string; role: string }[] }>('user', 'list')).users;

  test('is added, and may what his role may', async () => {
    const { page } = window;
    await go(page, 'users');
    await page.getByRole('button', { name: 'New user' }).click();
    const dialog = page.locator('dialog[open]');
    await dialog.getByLabel('Name').fill(eve.name);
    await dialog.getByLabel('Password').fill(eve.password);
    await dialog.getByLabel('Role').selectOption('viewer');
    await dialog.getByRole('button', { name: 'New user' }).click();
    await news(page, 'eve is added');
    expect(await all()).toContainEqual(expect.objectContaining({ name: 'eve', role: 'viewer' }));
    const her = await signedIn(daemon, eve);
    try {
      await go(her.page, 'tokens');
      await her.page.waitForSelector('[data-forbidden]');
      // Also who goes round the page.
      const answers = (await her.page.evaluate(
        "Promise.all(['/v1/tokens', '/v1/users', '/v1/audit'].map((path) => fetch(path).then((r) => r.status)))",
      )) as number[];
      expect(answers).toEqual([403, 403, 403]);
    } finally {
      await her.close();
    }
  });

  test('a name that is taken is refused in words', async () => {
    const { page } = window;
    await go(page, 'users?dialog=new');
    const dialog = page.locator('dialog[open]');
    await dialog.getByLabel('Name').fill(eve.name);
    await dialog.getByLabel('Password').fill(eve.password);
    await dialog.getByRole('button', { name: 'New user' }).click();
    await expect.poll(() => page.locator('dialog [role=alert]').innerText()).toMatch(/.{10}/);
    await page.keyboard.press('Escape');
    expect(await all()).toHaveLength(2);
  });

  test('gets another role', async () => {
    const { page } = window;
    await go(page, 'users');
    await page.getByRole('button', { name: 'Edit: eve' }).click();
    await page.locator('dialog[open]').getByLabel('Role').selectOption('operator');
    await page.locator('dialog[open]').getByRole('button', { name: 'Save' }).click();
    await news(page, 'eve is saved');
    expect(await all()).toContainEqual(expect.objectContaining({ name: 'eve', role: 'operator' }));
  });

  test('the last administrator cannot go', async () => {
    const { page } = window;
    await page.getByRole('button', { name: 'Delete: ann' }).click();
    await page.locator('dialog[open]').getByRole('button', { name: 'Delete', exact: true }).click();
    await expect.poll(() => page.locator('dialog [role=alert]').innerText()).toMatch(/.{10}/);
    await page.locator('dialog[open]').getByRole('button', { name: 'Cancel' }).click();
    expect(await all()).toHaveLength(2);
  });

  test('is deleted', async () => {
    const { page } = window;
    await page.getByRole('button', { name: 'Delete: eve' }).click();
    await confirm(page, 'Delete');
    await news(page, 'eve is deleted');
    expect(await all()).toHaveLength(1);
  });
});

describe('the settings', () => {
  const now = () => daemon.json<Record<string, number>>('settings', 'show');

  test('of all clients and servers are saved', async () => {
    const { page } = window;
    await go(page, 'settings');
    await page.getByLabel('GPU quota of a client').fill('12.5');
    await page.getByLabel('Disconnect idle GPUs').check();
    await page.getByLabel('After minutes').fill('20');
    await page.getByLabel('Metrics interval in seconds').fill('3');
    await page.locator('form').getByRole('button', { name: 'Save' }).click();
    await news(page, 'Settings saved');
    expect(await now()).toMatchObject({ quota: 12.5, idle_limit_minutes: 20, metrics_interval_s: 3 });
  });

  test('are not written over when somebody else changed them meanwhile', async () => {
    const { page } = window;
    await go(page, 'settings');
    await page.getByLabel('GPU quota of a client').fill('8');
    expect((await daemon.cli('settings', 'set', 'quota', '7')).code).toBe(0);
    await page.locator('form').getByRole('button', { name: 'Save' }).click();
    await page.getByText('Somebody else changed this meanwhile').waitFor();
    expect((await now()).quota).toBe(7);
    await page.getByRole('button', { name: 'Take what holds now' }).click();
    await expect.poll(() => page.getByLabel('GPU quota of a client').inputValue()).toBe('7');
  });

  test('refuse what is no number', async () => {
    const { page } = window;
    await page.getByLabel('GPU quota of a client').fill('-1');
    await page.locator('form').getByRole('button', { name: 'Save' }).click();
    expect(await page.locator('form').first().evaluate((form: HTMLFormElement) => form.checkValidity())).toBe(false);
    expect((await now()).quota).toBe(7);
  });
});

describe('a backup', () => {
  const all = async () => (await daemon.json<{ backups: { name: string }[] }>('backup', 'list')).backups;
  let file = '';

  test('is made and downloaded', async () => {
    const { page } = window;
    await go(page, 'settings');
    await page.getByRole('button', { name: 'New backup' }).click();
    await page.locator('dialog[open]').getByLabel('Name').fill('before-it');
    await page.locator('dialog[open]').getByRole('button', { name: 'Create' }).click();
    await news(page, 'Backup made: before-it');
    expect((await all()).map((one) => one.name)).toEqual(['before-it']);
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      page.getByRole('button', { name: 'Download: before-it' }).click(),
    ]);
    file = join(daemon.folder, 'before-it.backup');
    await download.saveAs(file);
  });

  test('of a damaged file is refused in words, and nothing changes', async () => {
    const { page } = window;
    const damaged = join(daemon.folder, 'damaged.backup');
    writeFileSync(damaged, 'this is no backup');
    await page.locator('input[type=file]').setInputFiles(damaged);
    const dialog = page.locator('dialog[open]');
    expect(await dialog.innerText()).toContain('damaged.backup');
    await dialog.getByRole('button', { name: 'Restore from file' }).click();
    await expect.poll(() => page.locator('dialog [role=alert]').innerText()).toMatch(/.{10}/);
    await dialog.getByRole('button', { name: 'Cancel' }).click();
  });

  test('is restored from its file', async () => {
    const { page } = window;
    await page.locator('input[type=file]').setInputFiles(file);
    expect(await confirm(page, 'Restore from file')).toContain('Tokens that were revoked stay revoked');
    await news(page, 'Restored: before-it');
  });

  test('is deleted', async () => {
    const { page } = window;
    await page.getByRole('button', { name: 'Delete: before-it' }).click();
    await confirm(page, 'Delete');
    await news(page, 'Backup deleted: before-it');
    expect(await all()).toEqual([]);
  });
});

test('the activity tells who did it', async () => {
  const { page } = window;
  await go(page, 'activity');
  await page.waitForSelector('tr[data-key]');
  const text = await page.locator('main table').innerText();
  expect(text).toContain('person ann');
  expect(text).toContain('before-it');
  expect(text).not.toContain('a long enough one');
});

test('about tells what serves it', async () => {
  const { page } = window;
  await page.evaluate("location.hash = '#/about'");
  const version = await page.locator('[data-fact="version"]').innerText();
  expect((await daemon.cli('version')).out).toContain(version);
  expect(window.problems).toEqual([]);
  expect(window.foreign).toEqual([]);
});
