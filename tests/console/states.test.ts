// What pages show when there is nothing, when they may not, when nobody answers, and when texts are hostile; the
// keyboard, the languages, the address, the pace; what the pages weigh and whom they ask.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { seriousFindings } from './accessible';
import { downloaded, openWindow, type Window } from './browser';
import { textOf } from './daemon';
import { consoleFolder, pictures } from './places';
import { SimulatedPool } from './simulated_pool';

const pages = ['cluster', 'servers', 'clients', 'sessions', 'queue', 'tokens', 'users', 'activity', 'settings', 'about'];
const few = { servers: 3, gpusOfAServer: 2, clients: 60, sessions: 4, waiting: 2, tokens: 3 };
const pool = new SimulatedPool(consoleFolder(), few);
const nothing = new SimulatedPool(consoleFolder(), {
  ...{ servers: 0, gpusOfAServer: 0, clients: 0, sessions: 0, waiting: 0, tokens: 0 },
});
let home = '';
let desert = '';
let window: Window;

beforeAll(async () => {
  home = await pool.listen();
  desert = await nothing.listen();
  window = await openWindow(home);
});
afterAll(async () => {
  await window.close();
  await pool.close();
  await nothing.close();
});
afterEach(() => {
  pool.role = 'admin';
  pool.broken = null;
  pool.silent = false;
  pool.texts = null;
});

async function open(address: string, at = home): Promise<void> {
  await window.page.goto('about:blank');
  await window.page.goto(`${at}/console/#/${address}`);
  await window.page.waitForSelector('h1');
}

describe('the weight of the pages', () => {
  test('is under 200 KB compressed', () => {
    const files = readdirSync(consoleFolder(), { recursive: true, encoding: 'utf8', withFileTypes: true });
    const sizes = files
      .filter((file) => file.isFile() && !file.name.endsWith('.gz'))
      .map((file) => gzipSync(readFileSync(join(file.parentPath ?? file.path, file.name))).length);
    expect(sizes.length).toBeGreaterThan(2);
    expect(sizes.reduce((sum, size) => sum + size)).toBeLessThan(200_000);
  });

  test('lets the first paint come within a second, and asks nobody else', async () => {
    const fresh = await openWindow(home);
    try {
      let paint = Infinity;
      for (let attempt = 0; attempt < 3 && paint >= 1000; ++attempt) {
        await fresh.page.goto('about:blank');
        await fresh.page.goto(home + '/console/');
        await fresh.page.waitForSelector('main canvas');
        paint = (await fresh.page.evaluate(
          "performance.getEntriesByName('first-contentful-paint')[0].startTime",
        )) as number;
      }
      expect(paint).toBeLessThan(1000);
      expect(fresh.foreign).toEqual([]);
      expect(fresh.problems).toEqual([]);
    } finally {
      await fresh.close();
    }
  });
});

describe('nothing to show', () => {
  test.each([
    ['servers', 'No server belongs to the pool yet'],
    ['clients', 'No client has come yet'],
    ['sessions', 'No session runs'],
    ['queue', 'Nobody waits'],
    ['tokens', 'There is no token yet'],
    ['servers/gone', 'There is no server gone'],
    ['clients/gone', 'There is no client gone'],
  ])('%s says so', async (address, text) => {
    await open(address, desert);
    await window.page.getByText(text).first().waitFor();
    expect(await seriousFindings(window.page)).toEqual([]);
  });

  test('the cluster says so in both lists', async () => {
    await open('cluster', desert);
    await window.page.getByText('No server belongs to the pool').waitFor();
    await window.page.getByText('No client runs anything').waitFor();
  });

  test('a page that does not exist says so', async () => {
    await open('nonsense');
    await window.page.getByText('There is no such page').waitFor();
  });
});

describe('who may not', () => {
  test.each(['tokens', 'users', 'activity'])('%s names the role that is needed', async (address) => {
    pool.role = 'viewer';
    await open(address);
    await window.page.waitForSelector('[data-forbidden]');
    expect(await window.page.locator('main').innerText()).toMatch(/needs the role (operator|administrator)/);
    expect(await seriousFindings(window.page)).toEqual([]);
    await window.page.screenshot({ path: join(pictures(), `forbidden-${address}.png`) });
  });

  test('sees the actions that are not his, and cannot take them', async () => {
    pool.role = 'viewer';
    await open('servers/0000-0');
    const { page } = window;
    await page.getByRole('button', { name: 'Delete' }).waitFor();
    for (const name of ['Drain', 'Delete', 'Logs'])
      expect(await page.getByRole('button', { name, exact: true }).isDisabled(), name).toBe(true);
    await open('settings');
    await page.getByText('Your role may look at this').first().waitFor();
    expect(await page.getByLabel('GPU quota of a client').isDisabled()).toBe(true);
  });

  test('an answer 403 is told in the words of the daemon', async () => {
    pool.broken = 403;
    await open('servers');
    await window.page.getByText('as the test wants it').waitFor();
    expect(await window.page.getByRole('alert').innerText()).toContain('Not for the role');
  });
});

describe('an answer that does not come', () => {
  test.each(pages.slice(0, 7))('%s tells of an error and tries again', async (address) => {
    pool.broken = 503;
    await open(address);
    await window.page.getByText('as the test wants it; nothing to do').first().waitFor();
    expect(await seriousFindings(window.page)).toEqual([]);
    pool.broken = null;
    await window.page.getByRole('button', { name: 'Try again' }).first().click();
    await window.page.waitForSelector('main table');
  });

  test('a page that waits says that it loads', async () => {
    pool.silent = true;
    await open('servers');
    await window.page.getByText('Loading …').waitFor();
  });

  test('what was shown stays, with a word of how old it is', async () => {
    await open('servers');
    await window.page.waitForSelector('tr[data-key="0000-0"]');
    pool.broken = 500;
    await window.page.getByRole('button', { name: 'Refresh now' }).click();
    await window.page.getByText('Could not load anew').waitFor();
    expect(await window.page.locator('tr[data-key]').count()).toBe(3);
  });
});

describe('hostile texts', () => {
  const script = `<img src=x onerror="window.hurt=1"><script>window.hurt=1</script>"'&=1+1 ${'W'.repeat(300)}`;
  const server = 'servers/0000-0';
  const client = 'clients/client-00000';

  // Nothing of them ran or became an element, nothing pushes the page apart, and they can be read.
  async function areTexts(before: number): Promise<void> {
    const { page } = window;
    await page.getByText('<img src=x onerror=').first().waitFor({ state: 'attached' });
    expect(await page.evaluate('window.hurt')).toBeUndefined();
    expect(await page.locator('body img, body script').count()).toBe(0);
    expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
    expect(window.problems.slice(before)).toEqual([]);
  }

  test.each([
    ...pages,
    ...[server, `${server}?pane=use`, `${server}?pane=network`, `${server}?pane=sessions`],
    ...['log', 'health', 'gpu', 'settings'].map((dialog) => `${server}?dialog=${dialog}`),
    ...[client, `${client}?dialog=gpu`, `${client}?dialog=settings`, 'servers/gone', 'clients/gone'],
    ...['tokens?edit=t000000', 'tokens?dialog=new', 'users?dialog=new', 'settings?dialog=backup'],
  ])('on %s are texts', async (address) => {
    pool.texts = script;
    const before = window.problems.length;
    await open(address);
    await window.page.waitForSelector('main table, main canvas, main dl, main .sheet, dialog[open] .line, dialog[open] input');
    await areTexts(before);
  });

  test.each([
    [server, 'Drain'],
    [server, 'Delete'],
    [client, 'Disable'],
    [client, 'Delete'],
    ['tokens', 'Delete'],
    ['users', /^Delete/],
    ['queue', /^Remove/],
    ['sessions', /^End session/],
    ['settings', /^Delete/],
  ])('in what %s asks before %s, and in the refusal, are texts', async (address, action) => {
    pool.texts = script;
    const before = window.problems.length;
    const { page } = window;
    await open(address);
    if (address === 'tokens') {
      await page.locator('main tr[data-key] button[aria-haspopup=menu]').first().click();
      await page.getByRole('menuitem', { name: action, exact: true }).click();
    } else {
      await page.locator('main').getByRole('button', { name: action, exact: true }).first().click();
    }
    const dialog = page.locator('dialog[open]');
    await dialog.waitFor();
    await areTexts(before);
    if (await dialog.getByRole('textbox').count()) await dialog.getByRole('textbox').fill(`gpu-host-000 ${script}`);
    await dialog.locator('button.danger, button.main').last().click();
    await expect.poll(() => dialog.getByRole('alert').innerText()).toContain('this pool cannot be changed');
    await areTexts(before);
  });

  test('in an error are texts', async () => {
    pool.texts = script;
    const before = window.problems.length;
    pool.broken = 503;
    await open('servers');
    await window.page.getByText('as the test wants it').first().waitFor();
    await areTexts(before);
  });
});

describe('the address', () => {
  test('holds search, order and page of a list', async () => {
    await open('clients?find=node-00&sort=-host');
    const { page } = window;
    const first = () => page.locator('tbody tr').first().innerText();
    expect(await first()).toContain('node-0059');
    await page.getByRole('button', { name: 'Next page' }).click();
    expect(page.url()).toContain('page=2');
    await page.reload();
    await page.waitForSelector('tbody tr');
    expect(await first()).toContain('node-0009');
    await page.getByRole('searchbox').fill('node-0033');
    expect(await page.locator('tbody tr').count()).toBe(1);
    expect(page.url()).toContain('find=node-0033');
    expect(page.url()).not.toContain('page=');
    await page.getByRole('searchbox').fill('no such');
    await page.getByText('Nothing matches').waitFor();
  });

  test('holds the pane, the period and the dialog of a server', async () => {
    await open('servers/0000-1');
    const { page } = window;
    await page.getByRole('tab', { name: 'Network' }).click();
    await page.getByLabel('Period').selectOption('7d');
    await page.getByRole('button', { name: 'Health', exact: true }).click();
    expect(page.url()).toMatch(/pane=network.*range=7d.*dialog=health/);
    await page.reload();
    await page.waitForSelector('dialog [data-check="ecc"]');
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog', { state: 'detached' });
    expect(page.url()).not.toContain('dialog');
    expect(await page.getByLabel('Period').inputValue()).toBe('7d');
  });

  test('is where somebody has gone, also when a dialog closes in the same moment', async () => {
    await open('servers/0000-1?dialog=health');
    const { page } = window;
    await page.waitForSelector('dialog [data-check="ecc"]');
    // The page hears of the dialog at once, and of the address later.
    await page.evaluate(
      "location.hash = '#/clients'; document.querySelector('dialog[open]').dispatchEvent(new Event('close'))",
    );
    await page.waitForSelector('tbody tr');
    expect(page.url()).toMatch(/#\/clients$/);
  });
});

describe('files', () => {
  test('hold what is shown: the rows that were found, in their order, on all pages', async () => {
    await open('clients?find=node-00&sort=-host');
    const download = await downloaded(window.page.getByRole('button', { name: 'Download CSV: Clients' }));
    expect(download.suggestedFilename()).toBe('clients.csv');
    const lines = textOf(await download.path()).trimEnd().split('\r\n');
    expect(lines[0]).toBe('\ufeffHost name,ID,Allocated GPUs,Quota,Waiting,Version,State,Last seen');
    expect(lines).toHaveLength(61);
    expect(lines[1]).toMatch(/^node-0059,client-00059,0,64,0,0\.1\.0,enabled,/);
    expect(lines[60]).toMatch(/^node-0000,client-00000,0\.5,64,/);
  });

  test.each([
    ['cluster?range=24h', 'GPU allocation of the cluster', /^\ufeffTime,allocated,in the cluster\r\n\d{4}-.*Z,[\d.]+,\d+\r\n/],
    ['servers/0000-0', 'Use of each GPU', /^\ufeffGPU,From,To,Use \(%\),Memory allocated \(%\),Compute \(%\)\r\n0,\d{4}-/],
    ['servers/0000-0?pane=use', 'GPU 1: memory', /^\ufeffTime,allocated,used,capacity\r\n\d{4}-.*,81920\r\n/],
    ['servers/0000-0?pane=network', 'Interface eth0', /^\ufeffTime,in,out\r\n\d{4}-/],
    ['clients/client-00001', 'GPUs of node-0001', /^\ufeffTime,allocated\r\n\d{4}-/],
  ])('of a chart on %s hold its values', async (address, title, content) => {
    await open(address);
    const download = await downloaded(window.page.getByRole('button', { name: `Download CSV: ${title}` }));
    expect(textOf(await download.path())).toMatch(content);
  });
});

describe('every table and every chart', () => {
  test.each([
    ['cluster', 3],
    ['servers', 1],
    ['servers/0000-0', 1],
    ['servers/0000-0?pane=use', 4],
    ['servers/0000-0?pane=network', 1],
    ['servers/0000-0?pane=sessions', 1],
    ['servers/0000-0?dialog=log', 1],
    ['clients', 1],
    ['clients/client-00001', 2],
    ['sessions', 1],
    ['queue', 1],
    ['tokens', 1],
    ['users', 1],
    ['activity', 1],
  ] as const)('of %s has its file', async (address, count) => {
    await open(address);
    const { page } = window;
    const within = address.includes('dialog=') ? 'dialog[open]' : 'main';
    const buttons = page.locator(`${within} button:enabled`, { hasText: 'Download CSV' });
    await expect.poll(() => buttons.count()).toBe(count);
    for (let index = 0; index < count; ++index) {
      const download = await downloaded(buttons.nth(index));
      const lines = textOf(await download.path()).trimEnd().split('\r\n');
      expect(lines[0], download.suggestedFilename()).toMatch(/^\ufeff./);
      expect(lines.length, download.suggestedFilename()).toBeGreaterThan(1);
      expect(download.suggestedFilename()).toMatch(/^[\w.-]+\.csv$/);
    }
  });
});

describe('the pace', () => {
  const asked = () => pool.paths.filter((path) => path === '/v1/servers').length;
  // The page's clock goes on when the test says so.
  let timed: Window;
  beforeAll(async () => {
    timed = await openWindow(home);
    await timed.page.clock.install();
  });
  afterAll(() => timed.close());

  // What the page sends in so many seconds has arrived when a request that is sent after them is answered.
  async function pass(seconds: number): Promise<number> {
    const before = asked();
    await timed.page.clock.runFor(seconds * 1000);
    await timed.page.evaluate("fetch('/v1/claims').then((answer) => answer.text())");
    return asked() - before;
  }

  async function openServers(pace: string): Promise<void> {
    await timed.page.goto('about:blank');
    await timed.page.goto(`${home}/console/#/servers`);
    await timed.page.waitForSelector('tr[data-key="0000-0"]');
    await timed.page.getByLabel('Refresh', { exact: true }).selectOption(pace);
  }

  test('can be off: then only the button and a change of page load', async () => {
    await openServers('0');
    expect(await pass(3600)).toBe(0);
    const before = asked();
    await timed.page.getByRole('button', { name: 'Refresh now' }).click();
    await expect.poll(asked).toBe(before + 1);
    await timed.page.evaluate("location.hash = '#/settings'");
    expect(await timed.page.getByLabel('Enable refresh').isChecked()).toBe(false);
    await timed.page.evaluate("location.hash = '#/servers'");
    await expect.poll(asked).toBe(before + 2);
  });

  test('can be another, and is kept', async () => {
    await openServers('2');
    await timed.page.reload();
    await timed.page.waitForSelector('tr[data-key="0000-0"]');
    expect(await timed.page.getByLabel('Refresh', { exact: true }).inputValue()).toBe('2');
    expect(await pass(1)).toBe(0);
    expect(await pass(2)).toBe(1);
  });

  test('is not waited for when the daemon tells of a change; a burst is one load', async () => {
    await openServers('0');
    await timed.page.waitForSelector('[aria-label="Changes are pushed"]');
    const told = timed.page.evaluate(`new Promise((done) => {
      const source = new EventSource('/v1/events');
      source.addEventListener('leases', () => { source.close(); done(); });
      source.onopen = () => { document.title = 'open'; };
    })`);
    await expect.poll(() => timed.page.title()).toBe('open');
    for (let burst = 0; burst < 20; ++burst) pool.push('leases');
    await told;
    let loads = 0;
    await expect.poll(async () => (loads += await pass(2))).toBe(1);
    expect(await pass(60)).toBe(0);
  });
});

describe('the keyboard', () => {
  test('reaches the content, the tabs, the menu of a row and the way out', async () => {
    await open('servers/0000-0');
    const { page } = window;
    await page.waitForSelector('[role=tab]');
    await page.keyboard.press('Tab');
    expect(await page.evaluate('document.activeElement.className')).toContain('skip');
    await page.keyboard.press('Enter');
    expect(await page.evaluate('document.activeElement.id')).toBe('main');
    await page.locator('[role=tab][aria-selected=true]').focus();
    await page.keyboard.press('ArrowRight');
    expect(await page.locator('[role=tab][aria-selected=true]').innerText()).toBe('Memory and compute');
    await page.keyboard.press('Alt+Shift+Digit6');
    await page.waitForSelector('tr[data-key="t000000"]');
    await page.keyboard.press('Alt+Shift+KeyF');
    expect(await page.evaluate('document.activeElement.type')).toBe('search');
    const menu = page.locator('tr[data-key="t000000"] button[aria-haspopup=menu]');
    await menu.focus();
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowDown');
    expect(await page.evaluate('document.activeElement.innerText')).toBe('Edit');
    await page.keyboard.press('Escape');
    expect(await menu.evaluate((element) => element === document.activeElement)).toBe(true);
    await page.keyboard.press('Enter');
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('Enter');
    await page.waitForSelector('dialog[open]');
    await page.keyboard.press('Escape');
    await page.waitForSelector('dialog', { state: 'detached' });
  });
});

describe('the menu of a row', () => {
  test('opens and closes with the mouse, and with keys that come before the page has told that it closed', async () => {
    await open('tokens');
    const { page } = window;
    const button = page.locator('tr[data-key="t000000"] button[aria-haspopup=menu]');
    const shown = () => page.locator('[role=menu]:popover-open').count();
    for (const expected of [1, 0, 1]) {
      await button.click();
      expect(await shown()).toBe(expected);
    }
    await button.evaluate((element: HTMLButtonElement) => {
      document.activeElement?.dispatchEvent(new KeyboardEvent('keydown', { key: 'Escape', bubbles: true }));
      element.click(); // in the same task: as fast as fingers never are
    });
    expect(await shown()).toBe(1);
    await page.mouse.click(2, 2);
    await expect.poll(shown).toBe(0);
  });
});

describe('the languages', () => {
  test.each([
    ['en', 'Servers', 'Cluster'],
    ['ja', 'サーバー', 'クラスター'],
    ['zh-TW', '伺服器', '叢集'],
  ])('%s is on every page', async (code, servers, cluster) => {
    await open('cluster');
    const { page } = window;
    await page.locator('header select').nth(1).selectOption(code);
    expect(await page.locator('html').getAttribute('lang')).toBe(code);
    expect(await page.locator('h1').innerText()).toBe(cluster);
    for (const address of [...pages, 'servers/0000-0?pane=use', 'servers/0000-0?dialog=settings', 'clients/client-00000']) {
      await open(address);
      await page.waitForSelector('main table, main canvas, main dl, dialog input');
      const text = await page.locator('body').innerText();
      expect(text).toContain(servers);
      expect(text, 'a hole that was not filled').not.toMatch(/\{(?!id\})\w+\}|undefined|\[object/);
      expect(await page.evaluate('document.documentElement.scrollWidth - innerWidth')).toBeLessThanOrEqual(0);
      await page.screenshot({ path: join(pictures(), `${code}-${address.replace(/\W+/g, '-')}.png`) });
    }
    await open('cluster');
    await page.locator('header select').nth(1).selectOption('en');
  });

  test.each([
    ['ja-JP', 'ja'],
    ['zh-HK', 'zh-TW'],
    ['de-DE', 'en'],
  ])('a browser of %s begins with %s', async (locale, code) => {
    const other = await openWindow(home, { locale });
    try {
      await other.page.goto(home + '/console/');
      await other.page.waitForSelector('main canvas');
      expect(await other.page.locator('html').getAttribute('lang')).toBe(code);
    } finally {
      await other.close();
    }
  });
});
