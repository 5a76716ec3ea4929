// A tab that stays open for a week: its session ends, its stream of events breaks and is refused, and it goes on where it
// was, without a storm of requests. The page's clock goes on when the test says so.
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
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
