// A tab that stays open for a week: its session ends, its stream of events breaks and is refused, and it goes on where it
// was, without a storm of requests; and however often it loads, it becomes no heavier. The page's clock goes on when the
// test says so.
import type { CDPSession } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openWindow, type Window } from './browser';
import { consoleFolder } from './places';
import { signIn } from './signed_in';
import { SimulatedPool } from './simulated_pool';

const pool = new SimulatedPool(consoleFolder(), { servers: 3, gpusOfAServer: 2, clients: 5, sessions: 2, waiting: 1, tokens: 2 });
const day = 24 * 3600;
const pushed = '[aria-label="Changes are pushed"]';
const notPushed = '[aria-label="Changes are not pushed just now"]';
let home = '';
let window: Window;

beforeAll(async () => {
  home = await pool.listen();
  window = await openWindow(home);
  await window.page.clock.install();
});
afterAll(async () => {
  await window?.close();
  await pool.close();
});
beforeEach(async () => {
  pool.signedOut = false;
  pool.noStreams = null;
  await window.page.goto('about:blank');
  await window.page.goto(`${home}/console/#/servers?sort=-host&find=gpu`);
  await window.page.waitForSelector('tr[data-key="0000-0"]');
  await window.page.getByLabel('Refresh', { exact: true }).selectOption('0');
  await window.page.waitForSelector(pushed);
});

const asked = (path: string) => pool.paths.filter((one) => one === path).length;
const pass = (seconds: number) => window.page.clock.runFor(seconds * 1000);

test('asks for nothing where nothing changes and the pace is off', async () => {
  const before = pool.paths.length;
  await window.page.clock.fastForward(7 * day * 1000);
  await window.page.evaluate("fetch('/v1/claims').then((answer) => answer.text())");
  expect(pool.paths.slice(before)).toEqual(['/v1/claims']);
});

test('keeps the pace of a week, one load at a time', async () => {
  await window.page.getByLabel('Refresh', { exact: true }).selectOption('10');
  const before = asked('/v1/servers');
  await pass(600);
  await window.page.evaluate("fetch('/v1/claims').then((answer) => answer.text())");
  const loads = asked('/v1/servers') - before;
  expect(loads).toBeGreaterThan(1);
  expect(loads).toBeLessThanOrEqual(61);
});

test('notices that its session is over although it loads nothing, and goes on where it was', async () => {
  const { page } = window;
  const address = page.url();
  pool.signedOut = true;
  pool.dropStreams();
  await page.waitForSelector(notPushed);
  // The browser tries to connect again and is refused, which is for good.
  await expect.poll(() => pool.paths.filter((one) => one === '/v1/events').length, { timeout: 20_000 }).toBeGreaterThan(1);
  await expect
    .poll(async () => {
      await pass(20);
      return page.getByText('Your session is over').isVisible();
    }, { timeout: 20_000 })
    .toBe(true);
  const before = pool.paths.length;
  await page.clock.fastForward(7 * day * 1000);
  await page.evaluate("fetch('/console/').then((answer) => answer.text())");
  expect(pool.paths.slice(before), 'who is signed out asks for nothing').toEqual(['/console/']);
  await signIn(page);
  await page.waitForSelector('tr[data-key="0000-0"]');
  expect(page.url()).toBe(address);
  await page.waitForSelector(pushed);
});

test('opens the stream again that was refused, and not in a storm', async () => {
  const { page } = window;
  pool.noStreams = 429;
  const before = asked('/v1/events');
  pool.dropStreams();
  await page.waitForSelector(notPushed);
  await expect.poll(() => asked('/v1/events'), { timeout: 20_000 }).toBeGreaterThan(before);
  for (let minute = 0; minute < 5; ++minute) {
    await pass(60);
    await page.evaluate("fetch('/v1/claims').then((answer) => answer.text())");
  }
  const tries = asked('/v1/events') - before;
  expect(tries).toBeLessThanOrEqual(22);
  pool.noStreams = null;
  await expect
    .poll(async () => {
      await pass(20);
      return page.locator(pushed).isVisible();
    }, { timeout: 20_000 })
    .toBe(true);
  // What is told then is heard.
  const loads = asked('/v1/servers');
  pool.push('servers');
  await expect
    .poll(async () => {
      await pass(2);
      return asked('/v1/servers');
    })
    .toBeGreaterThan(loads);
  expect(window.problems).toEqual([]);
});

// What the page holds after everything that nobody needs is gone.
async function weight(devtools: CDPSession): Promise<Record<string, number>> {
  await devtools.send('HeapProfiler.collectGarbage');
  const { metrics } = await devtools.send('Performance.getMetrics');
  const of = (name: string) => metrics.find((one) => one.name === name)!.value;
  return { nodes: of('Nodes'), listeners: of('JSEventListeners'), documents: of('Documents'), bytes: of('JSHeapUsedSize') };
}

// The clock goes on until there are more requests for this path.
function loaded(path: string, before: number): Promise<void> {
  const more = async () => {
    await pass(1);
    return asked(path);
  };
  return expect.poll(more, { interval: 5 }).toBeGreaterThan(before);
}

// The second of two equally long stretches adds next to nothing, as a week of them would not.
async function staysLight(devtools: CDPSession, stretch: () => Promise<void>): Promise<void> {
  await stretch();
  const before = await weight(devtools);
  await stretch();
  // The last answer may still be on its way into the page; nothing more is asked for, as the clock stands.
  let after = await weight(devtools);
  const settled = async () => {
    after = await weight(devtools);
    return after.nodes;
  };
  await expect
    .poll(settled, { timeout: 20_000, interval: 200, message: `nodes, after ${before.nodes}` })
    .toBeLessThanOrEqual(before.nodes + 40);
  expect(after.listeners, `listeners, after ${before.listeners}`).toBeLessThanOrEqual(before.listeners + 4);
  expect(after.documents).toBeLessThanOrEqual(before.documents);
  expect(after.bytes, `bytes, after ${before.bytes}`).toBeLessThanOrEqual(before.bytes * 1.15);
  expect(pool.streams, 'connections for events').toBe(1);
}

describe('loads without end', () => {
  let devtools: CDPSession;
  beforeAll(async () => {
    devtools = await window.context.newCDPSession(window.page);
    await devtools.send('Performance.enable');
  });

  // No waitForSelector: what it finds it holds, with all that was the page then.
  const show = async (address: string, selector: string) => {
    await window.page.evaluate(`location.hash = ${JSON.stringify('#/' + address)}`);
    await window.page.locator(selector).first().waitFor();
  };

  test.each([
    ['cluster', 'main canvas', '/v1/history'],
    ['servers/0000-0?pane=use', 'main canvas', '/v1/history'],
    ['servers?sort=-host', 'tr[data-key="0000-0"]', '/v1/servers'],
  ])('of %s leave nothing behind', async (address, selector, path) => {
    await show(address, selector);
    await staysLight(devtools, async () => {
      for (let load = 0; load < 15; ++load) {
        const before = asked(path);
        await window.page.getByRole('button', { name: 'Refresh now' }).click();
        await loaded(path, before);
      }
    });
    await window.page.locator(selector).first().waitFor();
    expect(await window.page.locator('main canvas').count()).toBeLessThanOrEqual(4);
  });

  test('of a log that never ends keep its newest lines', async () => {
    const path = '/v1/servers/0000-0/logs';
    const lines = window.page.locator('dialog .line');
    pool.talk = 500;
    try {
      await show('servers/0000-0?dialog=log', 'dialog .line');
      await staysLight(devtools, async () => {
        for (let load = 0; load < 8; ++load) await loaded(path, asked(path));
        await expect.poll(() => lines.count()).toBe(2000);
      });
    } finally {
      pool.talk = 0;
    }
  });

  test('of one page after the other leave nothing behind', async () => {
    const stops: [string, string][] = [
      ['cluster', 'main canvas'],
      ['servers/0000-0?pane=use', 'main canvas'],
      ['servers/0000-0?dialog=health', 'dialog [data-check="ecc"]'],
      ['clients/client-00001', 'main canvas'],
      ['tokens', 'tr[data-key="t000000"]'],
      ['activity', 'tr[data-key="1000"]'],
    ];
    await staysLight(devtools, async () => {
      for (let round = 0; round < 5; ++round) for (const [address, selector] of stops) await show(address, selector);
    });
  });

  test('and changes that are pushed without end, too', async () => {
    await show('servers?sort=-host', 'tr[data-key="0000-0"]');
    await staysLight(devtools, async () => {
      for (let burst = 0; burst < 15; ++burst) {
        const before = asked('/v1/servers');
        for (const topic of ['servers', 'leases', 'queue', 'servers', 'health']) pool.push(topic);
        await loaded('/v1/servers', before);
      }
    });
  });
});
