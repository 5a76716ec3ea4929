// Cluster, servers, clients, sessions and queue against a real manager while programs run; what is done in the browser
// is looked at through the command line.
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { seriousFindings } from './accessible';
import type { Window } from './browser';
import { Daemon, type Program } from './daemon';
import { pictures } from './places';
import { confirm, go, news, signedIn } from './signed_in';

interface Row {
  id: string;
  [key: string]: unknown;
}

const daemon = new Daemon();
let window: Window;
let programs: Program[] = [];

beforeAll(async () => {
  await daemon.start();
  await daemon.addAdministrator();
  window = await signedIn(daemon);
});
afterAll(async () => {
  await window?.close();
  await daemon.stop();
});
afterEach(async () => {
  for (const program of programs) await program.finish();
  programs = [];
});

async function program(...options: string[]): Promise<Program> {
  const one = await daemon.program(...options);
  programs.push(one);
  await one.running;
  return one;
}

const rows = async (noun: string) => (await daemon.json<Record<string, Row[]>>(noun, 'list'))[noun];
const fact = (name: string) => window.page.locator(`[data-fact="${name}"]`).innerText();

test('every page shows data, in both themes, and nothing is amiss', async () => {
  const { page } = window;
  await program('-p', '0.5');
  const [server] = await rows('servers');
  const [client] = await rows('clients');
  const addresses = [
    ...['cluster', 'servers', `servers/${server.id}`, `servers/${server.id}?pane=use&range=5m`],
    ...[`servers/${server.id}?pane=network&range=5m`, `servers/${server.id}?pane=sessions`, `servers/${server.id}?dialog=log`],
    ...[`servers/${server.id}?dialog=health`, `servers/${server.id}?dialog=gpu`, 'clients', `clients/${client.id}`],
    ...['sessions', 'queue', 'tokens', 'users', 'activity', 'settings', 'about'],
  ];
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    for (const address of addresses) {
      await page.evaluate(`location.hash = ${JSON.stringify('#/' + address)}`);
      await page.waitForSelector('main table, main canvas, main dl, main [data-gpu], dialog .line, dialog table, .empty');
      await page.screenshot({
        path: join(pictures(), `real-${scheme}-${address.replace(server.id, 'id').replace(client.id, 'id').replace(/\W+/g, '-')}.png`),
      });
      expect(await seriousFindings(page), address).toEqual([]);
    }
  }
  await page.emulateMedia({ colorScheme: 'light' });
  expect(window.problems).toEqual([]);
  expect(window.foreign).toEqual([]);
});

describe('the cluster', () => {
  test('shows what the command line tells, while programs come and go', async () => {
    await go(window.page, 'cluster');
    await window.page.waitForSelector('[data-fact="allocated"]');
    expect(await fact('primary')).toBe(daemon.address);
    expect(await fact('up')).toBe('1 / 1');
    expect(await fact('allocated')).toBe('0 / 2 GPUs');
    await program('-p', '0.5');
    // Nobody presses a button: the change is pushed, or the next load comes.
    await expect.poll(() => fact('allocated'), { timeout: 15_000 }).toBe('0.5 / 2 GPUs');
    const [client] = await rows('clients');
    expect(client.held).toBe(0.5);
    await window.page.locator(`tr[data-key="${client.id}"]`).waitFor();
    await programs.pop()!.finish();
    await expect.poll(() => fact('allocated'), { timeout: 15_000 }).toBe('0 / 2 GPUs');
    await window.page.getByText('No client runs anything').waitFor();
  });

  test('has a history with the GPUs that there are', async () => {
    await go(window.page, 'cluster?range=5m');
    await window.page.waitForSelector('[data-chart="cluster-gpu-allocation"] canvas', { timeout: 30_000 });
    const legend = await window.page.locator('[data-chart="cluster-gpu-allocation"] ul').innerText();
    expect(legend).toMatch(/in the cluster: 2/);
  });
});

describe('a server', () => {
  let id = '';
  let name = '';
  beforeAll(async () => {
    const [server] = await rows('servers');
    id = server.id;
    name = String(server.hostname);
  });

  test('is drained after a question that says what happens, and takes programs again', async () => {
    const { page } = window;
    await go(page, `servers/${id}`);
    await page.getByRole('button', { name: 'Drain', exact: true }).click();
    expect(await confirm(page, 'Drain')).toContain(`No new program gets GPUs of ${name}`);
    await news(page, `${name} takes no new programs`);
    expect((await rows('servers'))[0].accepts).toBe(false);
    await page.getByRole('button', { name: 'End drain' }).click();
    await news(page, `${name} takes programs again`);
    expect((await rows('servers'))[0].accepts).toBe(true);
  });

  test('shows its GPUs and the programs on them', async () => {
    const { page } = window;
    await program('-m', '512');
    await go(page, `servers/${id}?dialog=gpu`);
    await page.waitForSelector('dialog [data-table="programs"] tbody tr');
    expect(await page.locator('dialog [data-table="gpus"] tbody tr').count()).toBe(2);
    expect(await page.locator('dialog [data-table="programs"]').innerText()).toMatch(/python3.*512 MiB/s);
  });

  test('shows use, traffic and sessions over time', async () => {
    const { page } = window;
    await program('-p', '0.5');
    await go(page, `servers/${id}?range=5m`);
    await page.waitForSelector('[data-gpu="1"]');
    await page.getByRole('tab', { name: 'Memory and compute' }).click();
    await expect
      .poll(async () => (await page.locator(`[data-chart$="gpu0"] ul, [data-chart$="gpu1"] ul`).allInnerTexts()).join(), {
        timeout: 30_000,
      })
      .toMatch(/allocated: 2\.0 GiB[^]*capacity: 4\.0 GiB/);
    await page.getByRole('tab', { name: 'Network' }).click();
    await page.waitForSelector('[data-chart^="network-"]');
    await page.getByRole('tab', { name: 'Sessions' }).click();
    await page.getByText('python3').first().waitFor();
  });

  test('has checks that can be left out of the whole', async () => {
    const { page } = window;
    const check = async () =>
      (
        await daemon.json<{ servers: { report: { checks: { name: string; counted: boolean }[] } }[] }>('health')
      ).servers[0].report.checks.find((one) => one.name === 'bogomips')?.counted;
    expect(await check()).toBe(true);
    await go(page, `servers/${id}?dialog=health`);
    await page.getByRole('switch', { name: 'bogomips counts' }).click();
    await page.getByRole('button', { name: 'Save and exit' }).click();
    await news(page, '1 checks changed');
    expect(await check()).toBe(false);
    await go(page, `servers/${id}?dialog=health`);
    await expect.poll(() => page.locator('dialog [data-check]').count(), { timeout: 15_000 }).toBe(29);
    await page.getByRole('switch', { name: 'bogomips counts' }).click();
    await page.getByRole('button', { name: 'Save and exit' }).click();
    await expect.poll(check).toBe(true);
  });

  test('has a log that is followed and filtered by level', async () => {
    const { page } = window;
    await go(page, `servers/${id}?dialog=log`);
    await page.waitForSelector('dialog .line');
    expect(await page.locator('dialog .line').first().innerText()).toMatch(/\d{4}-\d\d-\d\d/);
    const before = await page.locator('dialog .line').count();
    await program('-p', '0.5');
    await programs.pop()!.finish();
    await expect.poll(() => page.locator('dialog .line').count(), { timeout: 30_000 }).toBeGreaterThan(before);
    await page.getByLabel('Level').selectOption('error');
    await expect.poll(async () => (await page.locator('dialog .line b').allInnerTexts()).filter((one) => one !== 'error')).toEqual([]);
    expect(page.url()).toContain('level=error');
  });

  test('has settings, and the defaults of the pool again', async () => {
    const { page } = window;
    await go(page, `servers/${id}?dialog=settings`);
    await page.getByLabel('Metrics interval in seconds').fill('7');
    await page.getByLabel('Allow new client connections').uncheck();
    await page.getByRole('button', { name: 'Save' }).click();
    await news(page, `Saved: ${name}`);
    const [server] = await rows('servers');
    expect(server).toMatchObject({ accepts: false, own_metrics_interval_s: 7 });
    await page.getByRole('button', { name: 'Settings', exact: true }).click();
    await page.getByRole('button', { name: 'Match default' }).click();
    await page.getByRole('button', { name: 'Save' }).click();
    await expect.poll(async () => (await rows('servers'))[0]).toMatchObject({ accepts: true, own_metrics_interval_s: null });
  });
});

describe('a client', () => {
  let id = '';
  beforeAll(async () => {
    await (await program('-p', '0.5')).finish();
    programs = [];
    id = (await rows('clients'))[0].id;
  });
  const one = async () => (await rows('clients')).find((row) => row.id === id);

  test('is in the list, with what it has', async () => {
    await program('-p', '0.25');
    await go(window.page, 'clients');
    const row = window.page.locator(`tr[data-key="${id}"]`);
    await expect.poll(() => row.locator('[data-column="held"]').innerText(), { timeout: 15_000 }).toBe('0.25');
    await row.getByRole('link').click();
    await window.page.getByRole('button', { name: 'GPU', exact: true }).click();
    await window.page.getByText('0.25 GPUs are allocated to this client').waitFor();
    await window.page.keyboard.press('Escape');
  });

  test('has a chart of its GPUs, by the name that the list has', async () => {
    const { page } = window;
    await go(page, `clients/${id}?range=5m`);
    const chart = page.locator(`[data-chart="client-${(await one())!.name}"]`);
    await chart.locator('canvas').waitFor();
    // A step of the chart is the mean of its measurements, and the last may reach back to the program before.
    const last = async () => Number(await chart.locator('b').first().innerText());
    await expect.poll(last, { timeout: 45_000 }).toBeGreaterThan(0);
    expect(await last()).toBeLessThanOrEqual(0.5);
  });

  test('has a quota and an idle limit of its own, or those of the pool', async () => {
    const { page } = window;
    await go(page, `clients/${id}?dialog=settings`);
    await page.getByLabel('GPU quota of a client').fill('1.5');
    await page.getByLabel('Disconnect idle GPUs').check();
    await page.getByLabel('After minutes').fill('45');
    await page.getByLabel('After minutes').press('Tab');
    await page.getByRole('button', { name: 'Save' }).click();
    await news(page, 'Saved:');
    expect(await one()).toMatchObject({ own_quota: 1.5, quota: 1.5, idle_limit_minutes: 45 });
    await page.getByRole('button', { name: 'Settings', exact: true }).click();
    await page.getByRole('button', { name: 'Match default' }).click();
    await page.getByRole('button', { name: 'Save' }).click();
    await expect.poll(one).toMatchObject({ own_quota: null, idle_limit_minutes: null });
  });

  test('starts nothing while it is disabled, and what runs goes on', async () => {
    const { page } = window;
    const running = await program('-p', '0.25');
    await go(page, `clients/${id}`);
    await page.getByRole('button', { name: 'Disable', exact: true }).click();
    expect(await confirm(page, 'Disable')).toContain('What it runs now (1 sessions) goes on');
    await news(page, 'is disabled');
    expect((await one())?.enabled).toBe(false);
    const refused = await daemon.cli('run', '-n', '1', '-t', '0', '--', 'true');
    expect(refused.code).not.toBe(0);
    expect((await running.finish()).code).toBe(0);
    await page.getByRole('button', { name: 'Enable', exact: true }).click();
    await news(page, 'is enabled');
    expect((await daemon.cli('run', '-n', '1', '--', 'true')).code).toBe(0);
  });

  test('whose page somebody else changed is not written over unasked', async () => {
    const { page } = window;
    await go(page, `clients/${id}?dialog=settings`);
    await page.getByLabel('GPU quota of a client').fill('9');
    expect((await daemon.cli('clients', 'quota', id, '3')).code).toBe(0);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByText('Somebody else changed this meanwhile').waitFor();
    expect((await one())?.own_quota).toBe(3);
    await page.getByRole('button', { name: 'Take what holds now' }).click();
    expect(await page.getByLabel('GPU quota of a client').inputValue()).toBe('3');
    await page.getByLabel('GPU quota of a client').fill('4');
    expect((await daemon.cli('clients', 'quota', id, '5')).code).toBe(0);
    await page.getByRole('button', { name: 'Save' }).click();
    await page.getByRole('button', { name: 'Save mine all the same' }).click();
    await news(page, 'Saved:');
    expect((await one())?.own_quota).toBe(4);
    await daemon.cli('clients', 'quota', id, 'default');
  });
});

describe('a session', () => {
  test('is listed with its numbers, and ended from here', async () => {
    const { page } = window;
    const running = await program('-m', '1024');
    await go(page, 'sessions');
    const leases = await rows('leases');
    const row = page.locator(`tr[data-key="${leases[0].id}"]`);
    await row.waitFor();
    const text = await row.innerText();
    expect(text).toContain('1.0 GiB of GPU');
    expect(text).toContain(`(${(leases[0].client as { pid: number }).pid})`);
    await expect
      .poll(async () => Number((await row.locator('[data-column="trips"]').innerText()).replaceAll(',', '')), { timeout: 15_000 })
      .toBeGreaterThan(0);
    await row.getByRole('button', { name: /End session/ }).click();
    expect(await confirm(page, 'End session')).toMatch(/loses 1\.0 GiB of GPU \d at once/);
    await news(page, 'is ended');
    expect(await rows('leases')).toEqual([]);
    expect((await running.finish()).code).not.toBe(0);
    programs = [];
    await page.getByText('No session runs').waitFor();
  });
});

describe('the queue', () => {
  test('shows who waits for what, and lets him be removed', async () => {
    const { page } = window;
    await program();
    await program();
    const waiting = await daemon.program();
    await expect
      .poll(async () => (await daemon.json<{ claims: Row[] }>('leases', 'waiting')).claims.length, { timeout: 15_000 })
      .toBe(1);
    await go(page, 'queue');
    const row = page.locator('tr[data-key]');
    await row.waitFor();
    expect(await row.locator('[data-column="place"]').innerText()).toBe('1');
    expect(await row.locator('[data-column="since"]').innerText()).toMatch(/\d\d:\d\d/);
    await row.getByRole('button', { name: /Remove/ }).click();
    expect(await confirm(page, 'Remove')).toContain('at place 1 is given up');
    await news(page, 'no longer waits');
    expect((await waiting.end).code).not.toBe(0);
    expect((await daemon.json<{ claims: Row[] }>('leases', 'waiting')).claims).toEqual([]);
  });
});

test('a client that is deleted loses everything', async () => {
  const { page } = window;
  const running = await program('-p', '0.25');
  const [client] = await rows('clients');
  await go(page, `clients/${client.id}`);
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  expect(await confirm(page, 'Delete')).toContain('loses access to every server at once: its 1 sessions end');
  await news(page, 'is deleted');
  expect((await running.finish()).code).not.toBe(0);
  programs = [];
});

test('a server is deleted only by its name, and its programs end', async () => {
  const { page } = window;
  const [server] = await rows('servers');
  const running = await program('-p', '0.25');
  await go(page, `servers/${server.id}`);
  await page.getByRole('button', { name: 'Delete', exact: true }).click();
  const dialog = page.locator('dialog[open]');
  expect(await dialog.getByRole('button', { name: 'Delete', exact: true }).isDisabled()).toBe(true);
  await dialog.getByRole('textbox').fill('another');
  expect(await dialog.getByRole('button', { name: 'Delete', exact: true }).isDisabled()).toBe(true);
  const told = await confirm(page, 'Delete', String(server.hostname));
  expect(told).toContain('leaves the pool at once, and with it 2 GPUs');
  expect(told).toContain('1 sessions run there');
  await news(page, 'is no longer in the pool');
  expect((await running.finish()).code).not.toBe(0);
  programs = [];
});
