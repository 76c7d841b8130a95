/** The page in headless Chromium, against the real BlueZ and wifiprovd of the lab's machine. test/lab/web.sh runs it. */
import assert from 'node:assert/strict';
import type { Server } from 'node:http';
import { after, afterEach, before, describe, it } from 'node:test';
import type { Browser, Page } from 'puppeteer-core';
import { built, choose, click, consoles, inspect, launch, open, patience, serve, shows } from './browser.js';
import { booted, end, run, until } from './machine.js';

const gateway = 'Kitchen gateway';
const home = 'Home at last';
const password = 'correct horse battery';
const mistyped = 'wrong horse battery';

const config = '/etc/wifiprovd/wifiprovd.yaml';
const devices = "busctl --list tree org.bluez | grep -E '/dev_[0-9A-F_]+$'";

// bluetoothd ends a connection 2 s after it was asked to; a phone that comes meanwhile is cut off.
const forget = `systemctl stop wifiprovd; rm -f /var/lib/wifiprovd/*
  for try in $(seq 100); do
    devices=$(${devices})
    [ -n "$devices" ] || hcitool con | grep -q LE || break
    for device in $devices; do busctl call org.bluez "\${device%/dev_*}" org.bluez.Adapter1 RemoveDevice o "$device" || true; done
    sleep 0.2
  done`;

/** Starts a gateway that knows nothing, and a browser that does not know it: as if neither had met anybody. */
async function fresh(security: 'none' | 'encrypt'): Promise<void> {
  await browser.close();
  await run(`${forget}; sed -i 's/security: .*/security: ${security}/' ${config}; systemctl start wifiprovd`);
  browser = await launch();
}

/** Whether the gateway is on the network with an address. */
const online = (): Promise<void> => until("ip -4 -brief address show dev wlan0 | grep -q '192\\.0\\.2\\.' && journalctl -u wifiprovd -n 50 | grep -q CONNECTED");

let browser: Browser, server: Server, address: string;

before(async () => {
  await booted();
  await run('systemctl start lab-ap@1 lab-ap@2 lab-ap@3 lab-dhcp');
  ({ server, address } = await serve());
  browser = await launch();
}, { timeout: 660_000 });

after(async () => {
  await browser.close();
  server.close();
  await end();
});

afterEach(async () => {
  for (const page of await browser.pages()) if (page.url() !== 'about:blank') await page.close();
  const said = consoles.splice(0).join('\n');
  assert.doesNotMatch(said, /horse/, 'a password on the console');
  assert.doesNotMatch(said, /^thrown: |Content Security Policy/m);
});

/** Goes as far as the list of networks. */
async function toNetworks(): Promise<Page> {
  const page = await open(browser, address);
  await choose(page, gateway);
  await shows(page, home);
  return page;
}

async function typePassword(page: Page, text: string): Promise<void> {
  await page.locator('#password').fill(text);
  await page.click('#join');
}

void describe('the page', { timeout: 900_000 }, () => {
  void it('provisions a gateway in none, and names are text', async () => {
    await fresh('none');
    const page = await open(browser, address);
    await inspect(page, 'start');
    await choose(page, gateway);
    await shows(page, home);
    await shows(page, '<img src=x onerror=alert(1)>');
    await shows(page, '\\u{202E}abc\\u{000A}def');
    assert.equal(await page.$('img'), null);
    await inspect(page, 'networks');
    await click(page, 'About this gateway');
    await inspect(page, 'about');
    await click(page, home);
    await page.locator('#password').fill(password);
    await inspect(page, 'password');
    await page.click('#join');
    await shows(page, 'The gateway joins the network');
    await page.screenshot({ path: `${process.env['LAB_OUT'] ?? '.'}/pictures/joining-light-narrow.png` });
    await shows(page, 'Your gateway is on Wi-Fi');
    await shows(page, '192.0.2.');
    await inspect(page, 'connected');
    await online();
  });

  void it('pairs in encrypt, says that the password is wrong, keeps it, and takes the right one', async () => {
    await fresh('encrypt');
    const page = await toNetworks();
    await click(page, home);
    await typePassword(page, mistyped);
    await shows(page, 'The password is wrong.');
    assert.equal(await page.$eval('#password', (input) => (input as HTMLInputElement).value), mistyped);
    await inspect(page, 'wrong');
    await typePassword(page, password);
    await shows(page, 'Your gateway is on Wi-Fi');
    await online();
    await until(`for d in $(${devices}); do busctl get-property org.bluez $d org.bluez.Device1 Bonded; done | grep -q true`, 5);
  });

  void it('has a provisioned gateway forget everything', async () => {
    await browser.close();
    await run(`for device in $(${devices}); do busctl call org.bluez $device org.bluez.Device1 Disconnect || true; done`);
    await until('! hcitool con | grep -q LE');
    browser = await launch();
    const page = await toNetworks(); // of the gateway that the test before has provisioned
    await shows(page, 'Connected: ');
    await click(page, 'About this gateway');
    await click(page, 'Forget Wi-Fi and phones');
    await inspect(page, 'erase');
    await page.locator('::-p-xpath(//dialog//button[.="Forget"])').click();
    await shows(page, 'The gateway has forgotten everything');
    await inspect(page, 'erased');
    await until('! grep -q home /var/lib/wifiprovd/credentials.json 2>/dev/null && ! ip -4 address show dev wlan0 | grep -q 192.0.2.', 30);
  });

  void it('is left by the gateway in the middle, says so, and goes on when it is back', async () => {
    await fresh('none');
    const page = await toNetworks();
    await click(page, home);
    await page.locator('#password').fill(password);
    await run('systemctl stop lab-ap@1'); // so that the attempt lasts
    await page.click('#join');
    await shows(page, 'The gateway joins the network');
    await run('systemctl stop wifiprovd');
    await shows(page, 'The Bluetooth connection was lost');
    await shows(page, 'The gateway does not answer.');
    assert.equal(await page.$eval('#password', (input) => (input as HTMLInputElement).value), password);
    await run('rm -f /var/lib/wifiprovd/*; systemctl start lab-ap@1 wifiprovd');
    await choose(page, gateway, () => page.click('#join')); // bluetoothd has forgotten the gateway meanwhile, and so has Chromium
    await shows(page, 'Your gateway is on Wi-Fi');
  });

  void it('proves the code on the label: a wrong one from the address, then the right one, and nobody pairs before it erases', async () => {
    await fresh('encrypt');
    await run(`mkdir -p ${config}.d; printf 'bluetooth:\\n  protocols: [native, espressif]\\n' >${config}.d/code.yaml; systemctl restart wifiprovd`);
    try {
      const code = /^code {2}(\S{12})$/m.exec(await run('wifiprovctl code new --print'))?.[1] ?? 'none';
      await until('busctl get-property org.bluez /org/bluez/hci1 org.bluez.Adapter1 UUIDs | grep -q 021a9004'); // it is taken
      const wrong = code.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'));
      const page = await open(browser, `${address}?lang=en#code=${wrong}&name=Kitchen`);
      assert.equal(await page.evaluate(() => location.href), `${address}?lang=en`);
      await choose(page, gateway);
      await shows(page, 'The code is wrong.');
      await inspect(page, 'code');
      const begin = Date.now();
      await click(page, 'Try without a code');
      await shows(page, 'This gateway wants its code.');
      assert.ok(Date.now() - begin < 5000, `it takes ${Date.now() - begin} ms to say that there is no way in without the code`);
      await page.locator('#code').fill(`${code.slice(0, 4)}-${code.slice(4, 8)} ${code.slice(8)}`.toLowerCase());
      await page.click('#prove');
      await shows(page, home);
      await click(page, home);
      await typePassword(page, mistyped);
      await shows(page, 'The password is wrong.');
      await typePassword(page, password);
      await shows(page, 'Your gateway is on Wi-Fi');
      await shows(page, '192.0.2.');
      await online();
      assert.ok(!consoles.join('\n').includes(code.slice(0, -1)), 'the code on the console');
      await until("journalctl -u wifiprovd -n 200 | grep -q 'gave a wrong code' && journalctl -u wifiprovd -n 200 | grep -q 'a phone knows the code'", 5);
      await run(`! for d in $(${devices}); do busctl get-property org.bluez $d org.bluez.Device1 Bonded; done | grep true`);
      // Neither is in Espressif's protocol: now it pairs.
      const wpa = 'busctl call fi.w1.wpa_supplicant1';
      await run(`systemctl stop lab-ap@1 lab-ap@2 lab-ap@3; sleep 11
        ${wpa} $(${wpa} /fi/w1/wpa_supplicant1 fi.w1.wpa_supplicant1 GetInterface s wlan0 | cut -d '"' -f 2) fi.w1.wpa_supplicant1.Interface FlushBSS u 0`);
      await click(page, 'Choose another network'); // those it heard are forgotten
      await shows(page, 'Which country is it in?');
      await run('systemctl start lab-ap@1 lab-ap@2 lab-ap@3');
      await page.select('#country', 'DE');
      await click(page, 'Tell the gateway'); // and it looks again
      await until("grep -q '\"country\":\"DE\"' /var/lib/wifiprovd/credentials.json", 30);
      await shows(page, 'Look again'); // it has
      await click(page, 'About this gateway');
      await click(page, 'Forget Wi-Fi and phones');
      await page.locator('::-p-xpath(//dialog//button[.="Forget"])').click();
      await shows(page, 'The gateway has forgotten everything');
      await until('! grep -q home /var/lib/wifiprovd/credentials.json 2>/dev/null', 30);
    } finally {
      await run(`wifiprovctl code remove; rm -r ${config}.d/code.yaml; systemctl start lab-ap@1 lab-ap@2 lab-ap@3`);
    }
  });

  void it('works with the keyboard alone, in German', async () => {
    await fresh('none');
    const page = await open(browser, `${address}?lang=de`);
    await page.focus('h1');
    await choose(page, gateway, () => press(page, 'Gateway suchen'));
    await shows(page, home);
    await press(page, home);
    await page.waitForFunction(() => document.activeElement?.id === 'password');
    await page.keyboard.type(password);
    await page.keyboard.press('Enter');
    await shows(page, 'Ihr Gateway ist im WLAN');
  });
});

const networks = [{ ssid: home, password }];

/** Clients that are no browser: what starts one in the machine, where the phones' adapter is hci0, and its task. */
const others = {
  "Home Assistant's library": { starts: 'python3 /usr/lib/lab/homeassistant/phone.py', adapter: 'hci0' },
  'nRF Connect, by hand': { starts: 'python3 /usr/lib/lab/phones/writes.py', adapter: 'hci0' },
  noble: { starts: 'bluetoothctl power off >/dev/null; node /usr/lib/lab/noble/phone.js', adapter: 0 },
};

void describe('every client', { timeout: 600_000 }, () => {
  void it('provisions the same gateway', async () => {
    await run(`sed -i 's/^bluetooth:/&\\n  protocols: [native, improv]/' ${config}`);
    await fresh('none');
    const page = await toNetworks();
    await click(page, home);
    await typePassword(page, password);
    await shows(page, 'Your gateway is on Wi-Fi');
    await online();
    await browser.close();
    const gatewayAddress = (await run("busctl get-property org.bluez /org/bluez/hci1 org.bluez.Adapter1 Address | cut -d '\"' -f 2")).trim();
    try {
      for (const [client, { starts, adapter }] of Object.entries(others)) {
        await run(`${forget}; sleep 3; systemctl start wifiprovd`); // bluetoothd's 2 s, as above
        const task = JSON.stringify({ adapter, address: gatewayAddress, networks });
        const said = await run(`{ ${starts}; } <<<'${task}'`);
        await online().catch((error: unknown) => { throw new Error(`${client}: ${said}: ${String(error)}`); });
      }
    } finally {
      browser = await launch();
    }
  });
});

/** Presses Tab until what has a text has the focus, and then Enter. */
async function press(page: Page, text: string): Promise<void> {
  const seen: string[] = [];
  for (let i = 0; i < 30; i++) {
    await page.keyboard.press('Tab');
    const focused = await page.evaluate(() => (document.activeElement as HTMLElement | null)?.innerText ?? '');
    seen.push(focused);
    if (focused.includes(text)) {
      await page.keyboard.press('Enter');
      return;
    }
  }
  throw new Error(`Tab does not reach ${text}, but ${seen.join(' | ')}`);
}

void describe('without a gateway', { timeout: 300_000 }, () => {
  void it('the page works offline after the first load', async () => {
    const page = await open(browser, address);
    await page.evaluate(async () => { await navigator.serviceWorker.ready; });
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    await page.setOfflineMode(true);
    await page.reload();
    await shows(page, 'Find my gateway');
  });

  void it('the page works from a disk', async () => {
    const page = await open(browser, `file://${built}/index.html`);
    await shows(page, 'Find my gateway');
  });

  void it('a browser that cannot says so, and what works instead', async () => {
    for (const [agent, text] of [['Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X)', 'Bluefy'], ['Firefox/140.0', 'Chrome or Edge']] as const) {
      const page = await open(browser, address, async (fresh) => {
        await fresh.setUserAgent({ userAgent: agent });
        await fresh.evaluateOnNewDocument(() => { Object.defineProperty(navigator, 'bluetooth', { value: undefined }); });
      });
      await shows(page, text);
      await inspect(page, 'cannot');
    }
  });

  void it('Bluetooth that is off is said at once', async () => {
    const page = await open(browser, address, (fresh) => fresh.evaluateOnNewDocument(() => {
      Object.defineProperty(navigator, 'bluetooth', { value: { getAvailability: () => Promise.resolve(false) } });
    }));
    await shows(page, 'Bluetooth is off.', patience);
  });
});
