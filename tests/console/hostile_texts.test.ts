// Script in every text that somebody can give to a real manager: what it takes is shown as text, and what it need not take
// it refuses.
import { request } from 'node:https';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { downloaded, type Window } from './browser';
import { Daemon } from './daemon';
import { go, signedIn } from './signed_in';

const script = `<img src=x onerror=window.hurt=1><script>window.hurt=1</script>"'&`;
const daemon = new Daemon();
let window: Window;

interface Answer {
  status: number;
  body: Record<string, unknown>;
}

// As a client of one's own making would.
function ask(token: string, method: string, path: string, body: unknown = null, headers: Record<string, string> = {}): Promise<Answer> {
  return new Promise((done, failed) => {
    const sent = request(
      daemon.url + path,
      {
        method,
        rejectUnauthorized: false,
        headers: {
          Authorization: `Bearer ${token}`,
          'Bitfusion-Machine': 'ab'.repeat(32),
          ...(body ? { 'Content-Type': 'application/json' } : {}),
          ...headers,
        },
      },
      (answer) => {
        let text = '';
        answer.on('data', (piece) => (text += piece));
        answer.on('end', () => done({ status: answer.statusCode ?? 0, body: JSON.parse(text) }));
      },
    );
    sent.on('error', failed);
    sent.end(body ? JSON.stringify(body) : undefined);
  });
}

async function tokenOf(role: string, description: string): Promise<string> {
  return (await daemon.json<{ token: string }>('token', 'create', '--role', role, '--description', description)).token;
}

let lease = '';
beforeAll(async () => {
  await daemon.start();
  await daemon.addAdministrator();
  const client = await tokenOf('client', script);
  const claim = {
    ...{ gpus: 1, memory_mib: 512, persistent: true, timeout_s: 3600 },
    client: { host: script, user: script, pid: 7, program: script },
  };
  const strange = { 'Bitfusion-Host': script, 'Bitfusion-Version': script };
  const granted = await ask(client, 'POST', '/v1/leases', claim, strange);
  expect(granted.status, JSON.stringify(granted.body)).toBe(201);
  lease = String(granted.body.id);
  for (let waiting = 0; waiting < 2; ++waiting)
    expect((await ask(client, 'POST', '/v1/leases', { ...claim, gpus: 2, memory_mib: 4096 }, strange)).status).toBe(202);
  window = await signedIn(daemon);
});
afterAll(async () => {
  await window?.close();
  await daemon.stop();
});

test('what has a form is refused without it', async () => {
  const admin = await tokenOf('admin', 'of the test');
  const made = [
    ['/v1/users', { name: script, password: 'a long enough one', role: 'viewer' }],
    ['/v1/users', { name: 'ann2', password: 'a long enough one', role: script }],
    ['/v1/backups', { name: script }],
    ['/v1/tokens', { description: 'x', role: script }],
  ] as const;
  for (const [path, body] of made) expect((await ask(admin, 'POST', path, body)).status, path).toBe(400);
  for (const path of ['/v1/clients/', '/v1/servers/', '/v1/users/', '/v1/tokens/'])
    expect((await ask(admin, 'PUT', path + encodeURIComponent(script), { enabled: true })).status, path).toBeGreaterThanOrEqual(400);
  // A name that tries to get in is written down.
  expect((await ask('', 'POST', '/v1/session', { name: script, password: script })).status).toBe(401);
});

test('everything else is shown as text, wherever it stands', async () => {
  const { page } = window;
  const server = (await daemon.json<{ servers: { id: string }[] }>('servers', 'list')).servers[0].id;
  const client = (await daemon.json<{ clients: { id: string }[] }>('clients', 'list')).clients[0].id;
  // Where it must be readable, and in which words: a name keeps its characters.
  const shows = new Set(['tokens', 'clients', 'sessions', 'activity']);
  const addresses = [
    ...['cluster', 'servers', 'clients', 'sessions', 'queue', 'tokens', 'activity', `clients/${client}`],
    ...[`servers/${server}?pane=sessions`, `servers/${server}?dialog=gpu`, `servers/${server}?dialog=log&level=debug`],
    ...[`clients/${client}?dialog=gpu`, `clients/${client}?dialog=settings`],
  ];
  for (const address of addresses) {
    await go(page, address);
    await page.waitForSelector('main table, main canvas, main dl, dialog .line');
    if (shows.has(address)) await page.locator('main').getByText('<img src=x onerror=').first().waitFor();
    expect(await page.evaluate('window.hurt'), address).toBeUndefined();
    expect(await page.locator('main img, dialog img, main script, dialog script').count(), address).toBe(0);
  }
  await go(page, 'sessions');
  await page.locator(`tr[data-key="${lease}"]`).getByRole('button', { name: /End session/ }).click();
  await page.locator('dialog[open]').waitFor();
  expect(await page.locator('dialog[open] img').count()).toBe(0);
  await page.locator('dialog[open]').getByRole('button', { name: 'Cancel' }).click();
  expect(await page.evaluate('window.hurt')).toBeUndefined();
  expect(window.problems).toEqual([]);
  expect(window.foreign).toEqual([]);
});

test('the files of the lists hold it as text that no spreadsheet runs', async () => {
  const { page } = window;
  await daemon.json('token', 'create', '--description', '=HYPERLINK("http://192.0.2.1")');
  await go(page, 'tokens');
  await page.getByText('=HYPERLINK').waitFor();
  const download = await downloaded(page.getByRole('button', { name: /Download CSV/ }).first());
  const stream = await download.createReadStream();
  let text = '';
  for await (const piece of stream) text += piece;
  expect(text).toContain(`"'=HYPERLINK(`);
  expect(text).toContain('<img src=x onerror=');
});
