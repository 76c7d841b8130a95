/** Headless Chromium, the page in it, and the web server that the page comes from. */
import axe from 'axe-core';
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import puppeteer, { type Browser, type Page } from 'puppeteer-core';
import { busAddress } from './machine.js';

const top = dirname(dirname(dirname(dirname(fileURLToPath(import.meta.url))))); // of the repository: this runs in web/lab/.built
export const built = join(top, 'build/web');
const pictures = join(process.env['LAB_OUT'] ?? join(top, 'build/lab/web'), 'pictures');

/** For what does happen: Chromium and the machine share a busy host. */
export const patience = 90_000;

const types: Record<string, string> = {
  '.html': 'text/html', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.webmanifest': 'application/manifest+json',
};

// As docs/web.md tells makers to.
const headers = {
  'Content-Security-Policy': "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; manifest-src 'self'; worker-src 'self'; "
    + "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types worker",
  'Permissions-Policy': 'bluetooth=(self), clipboard-read=(self)',
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};

/** Serves the built page on this machine, and returns its address. */
export async function serve(): Promise<{ address: string; server: Server }> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const file = path === '/' ? '/index.html' : path;
    try {
      const content = readFileSync(join(built, file));
      response.writeHead(200, { 'Content-Type': types[extname(file)] ?? 'application/octet-stream', ...headers }).end(content);
    } catch {
      response.writeHead(404).end();
    }
  }).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return { server, address: `http://localhost:${(server.address() as AddressInfo).port}/` };
}

/** Starts Chromium with the machine's system bus in place of this one's. */
export function launch(): Promise<Browser> {
  mkdirSync(pictures, { recursive: true });
  return puppeteer.launch({
    executablePath: '/usr/bin/chromium',
    // Web Bluetooth is off on Linux; Chromium's own sandbox does not work for root.
    args: ['--enable-features=WebBluetooth', '--no-sandbox', '--disable-dev-shm-usage', '--lang=en-US'],
    env: { ...process.env, DBUS_SYSTEM_BUS_ADDRESS: busAddress() },
    protocolTimeout: 2 * patience,
  });
}

/** What pages have written to their consoles. */
export const consoles: string[] = [];

/** Opens an address, in a narrow window. What the page throws fails the test that waits for it. */
export async function open(browser: Browser, address: string, prepare?: (page: Page) => Promise<unknown>): Promise<Page> {
  const page = await browser.newPage();
  page.setDefaultTimeout(patience);
  page.on('console', (message) => consoles.push(message.text()));
  page.on('pageerror', (error) => consoles.push(`thrown: ${String(error)}`));
  page.on('dialog', (dialog) => {
    consoles.push(`thrown: a dialog, ${dialog.message()}`);
    void dialog.dismiss();
  });
  await page.setViewport(sizes.narrow);
  await prepare?.(page);
  await page.goto(address);
  return page;
}

const sizes = { narrow: { width: 390, height: 780, deviceScaleFactor: 1 }, wide: { width: 1000, height: 700, deviceScaleFactor: 1 } };

/**
 * Plays the user who opens the browser's chooser and takes the gateway of a name. Chromium may open another chooser, of
 * another id, while its adapter comes up, which puppeteer's waitForDevicePrompt takes for an error.
 *
 * @param ask Does what opens the chooser.
 */
export async function choose(page: Page, name: string, ask: () => Promise<unknown> = () => page.click('#find')): Promise<void> {
  const session = await page.createCDPSession();
  const seen: string[] = [];
  await session.send('DeviceAccess.enable');
  let timer: ReturnType<typeof setTimeout> | undefined;
  await new Promise<void>((resolve, reject) => {
    timer = setTimeout(() => { reject(new Error(`${name} is not among ${JSON.stringify(seen)}; console: ${consoles.join(' | ')}`)); }, patience);
    session.on('DeviceAccess.deviceRequestPrompted', ({ id, devices }) => {
      seen.push(...devices.map((device) => device.name));
      const device = devices.find((one) => one.name === name);
      if (device) session.send('DeviceAccess.selectPrompt', { id, deviceId: device.id }).then(() => { resolve(); }, reject);
    });
    ask().catch(reject);
  }).finally(() => { clearTimeout(timer); });
  await session.detach();
}

/** Waits for a text in the page. */
export async function shows(page: Page, text: string, ms = patience): Promise<void> {
  await page.waitForFunction((wanted) => document.body.innerText.includes(wanted), { timeout: ms, polling: 50 }, text)
    .catch(async (error: unknown) => {
      const there = (await page.evaluate(() => document.body.innerText)).slice(0, 400);
      throw new Error(`the page does not show ${JSON.stringify(text)} but ${JSON.stringify(there)}; its console: ${consoles.slice(-5).join(' | ')}; ${String(error)}`);
    });
}

/** Clicks what has a text. */
export async function click(page: Page, text: string): Promise<void> {
  await page.locator(`::-p-xpath(//button[contains(., ${JSON.stringify(text)})] | //summary[contains(., ${JSON.stringify(text)})])`).click();
}

/** Looks at the page as it is: nothing that axe finds, nothing wider than the window, in light and dark, narrow, wide and zoomed. */
export async function inspect(page: Page, name: string): Promise<void> {
  for (const scheme of ['light', 'dark']) {
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: scheme }, { name: 'prefers-reduced-motion', value: 'reduce' }]);
    for (const [size, viewport] of Object.entries(sizes)) {
      await page.setViewport(viewport);
      await page.screenshot({ path: join(pictures, `${name}-${scheme}-${size}.png`) });
    }
    await page.setViewport(sizes.narrow);
    await findNothing(page, `${name}, ${scheme}`);
  }
  await page.setViewport({ width: 320, height: 600 }); // a window of 640 at 200 %
  const [wants, has] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth] as const);
  assert.ok(wants <= has, `${name}: ${wants} pixels wide in a window of ${has}`);
  await page.emulateMediaFeatures([]);
  await page.setViewport(sizes.narrow);
}

async function findNothing(page: Page, what: string): Promise<void> {
  await page.evaluate(`typeof axe === 'undefined' && (() => { ${axe.source} })()`);
  const found = await page.evaluate(async () => {
    const { violations } = await (globalThis as unknown as { axe: typeof axe }).axe.run();
    return violations.map((v) => `${v.id}: ${v.help}: ${v.nodes.map((n) => n.html).join(' ')}`);
  });
  assert.deepEqual(found, [], `axe, ${what}`);
}
