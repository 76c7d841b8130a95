// A phone whose Bluetooth host stack is noble, on a controller that it takes from Linux (HCI user channel). It does what
// docs/protocol.md tells an app to do, and prints what happens, one JSON object a line. noble_test.go runs it.
//
// Usage: phone.js <TASK; TASK is JSON: {"adapter": 1, "networks": [{"ssid": "…", "password": "…"}, …]}
//
// It connects to the first gateway it hears and tries one network after the other, until the gateway is CONNECTED. The
// exit status is 0 if it is, 1 if not, 2 if noble or the gateway refused something.
//
// What noble 2.8.0 cannot do, and what is therefore read off its connection here (lib/hci-socket):
// - It pairs by LE Legacy Just Works only: no passkey, no LE Secure Connections (smp.js).
// - It keeps no keys: each connection pairs anew (acl-stream.js).
// - A write or subscription that is refused never returns, nor does one whose pairing failed (gatt.js).
'use strict';

const noble = require('@stoprocent/noble');

const patience = 60000; // for anything that does happen; the machine is emulated

// btvirt reports an advertisement only when scanning is switched on.
const scanInterval = 500;

// After a bond bluetoothd discovers the phone's services, and connects to it for that if it has gone.
const reverseDiscovery = 2000;

const uuid = (short) => `8b84${short}f6fa4e339a0ce14d9f35f201`;
const service = uuid('0001');
const control = { connect: 1 };
const status = { connected: 3, failed: 4 };

const ATT = 4, ATT_ERROR = 0x01, ATT_NOT_FOUND = 0x0a; // not found: the end of a discovery
const SMP = 6, SMP_FAILED = 0x05;
const needsPairing = [0x05, 0x0f]; // noble pairs and asks again

class Refused extends Error {}

function say (event, details) {
  console.log(JSON.stringify({ event, ...details }));
}

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// within waits for a promise, but not for ever.
function within (what, promise) {
  let timer;
  const late = new Promise((resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: nothing within ${patience / 1000} s`)), patience);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

async function find (stack) {
  let found;
  stack.on('discover', (peripheral) => { found = found || peripheral; });
  for (const end = Date.now() + patience; !found;) {
    if (Date.now() > end) throw new Error('found no gateway');
    await within('scan', stack.startScanningAsync([service], true));
    await sleep(scanInterval);
    await within('end of scan', stack.stopScanningAsync());
  }
  say('found', { address: found.address, name: found.advertisement.localName });
  return found;
}

// Link is a connection to a gateway.
class Link {
  constructor (stack, peripheral) {
    this.peripheral = peripheral;
    this.characteristics = {};
    this.notified = [];
    this.refused = new Promise((resolve, reject) => { this.refuse = (why) => reject(new Refused(why)); });
    this.refused.catch(() => {}); // who waits hears it
    peripheral.once('disconnect', (reason) => {
      say('disconnected', { code: Number(reason) });
      this.refuse('disconnected');
    });
    const stream = stack._bindings._aclStreams[stack._bindings._handles[peripheral.id]];
    stream.on('data', (cid, data) => this.hear(cid, data));
    stream.on('encrypt', (on) => {
      say('encrypted', { on: Boolean(on) });
      this.encrypted = Date.now();
      if (!on) this.refuse('not encrypted');
    });
  }

  hear (cid, data) {
    if (cid === ATT && data[0] === ATT_ERROR && data[4] !== ATT_NOT_FOUND) {
      say('att-error', { code: data[4] });
      if (this.encrypted || !needsPairing.includes(data[4])) this.refuse(`ATT error ${data[4]}`);
    } else if (cid === SMP && data[0] === SMP_FAILED) {
      say('pairing-failed', { code: data[1] });
      this.refuse(`pairing failed, reason ${data[1]}`);
    }
  }

  // does waits for what noble does, or for what it does not tell.
  does (what, promise) {
    return within(what, Promise.race([promise, this.refused]));
  }

  async discover () {
    const all = await this.does('discovery', this.peripheral.discoverAllServicesAndCharacteristicsAsync());
    for (const c of all.characteristics) this.characteristics[c.uuid] = c;
    say('discovered', { services: all.services.map((s) => s.uuid) });
  }

  async follow (name, short) {
    const c = this.characteristics[uuid(short)];
    c.on('data', (data, isNotification) => {
      if (!isNotification) return;
      say(name, { code: data[0] });
      this.notified.push([name, data[0]]);
      if (this.wake) this.wake();
    });
    await this.does(`subscription to ${name}`, c.subscribeAsync());
    say('subscribed', { name });
  }

  write (short, data) {
    return this.does(`write of ${short}`, this.characteristics[uuid(short)].writeAsync(Buffer.from(data), false));
  }

  read (short) {
    return this.does(`read of ${short}`, this.characteristics[uuid(short)].readAsync());
  }

  // ended waits for CONNECTED or FAILED.
  async ended () {
    for (;;) {
      while (this.notified.length > 0) {
        const [name, code] = this.notified.shift();
        if (name === 'status' && (code === status.connected || code === status.failed)) return code;
      }
      await this.does('outcome', new Promise((resolve) => { this.wake = resolve; }));
    }
  }

  async leave () {
    if (this.encrypted) await sleep(Math.max(0, this.encrypted + reverseDiscovery - Date.now()));
    if (this.peripheral.state === 'connected') await within('disconnection', this.peripheral.disconnectAsync());
  }
}

// provision tries the networks in turn, and returns whether the gateway got onto one.
async function provision (link, networks) {
  await link.discover();
  await link.follow('reason', '0101');
  await link.follow('status', '0006');
  for (const { ssid, password } of networks) {
    await link.write('0002', ssid);
    await link.write('0003', password);
    await link.write('0005', [control.connect]);
    say('asked', { name: ssid });
    const code = await link.ended();
    say('read-reason', { code: (await link.read('0101'))[0] });
    if (code === status.connected) {
      const network = JSON.parse(await link.read('0102'));
      say('read-network', { name: network.ssid });
      return true;
    }
  }
  return false;
}

async function main (task) {
  const stack = noble.withBindings('hci', { deviceId: task.adapter, userChannel: true });
  await within('controller', stack.waitForPoweredOnAsync(patience));
  const peripheral = await find(stack);
  await within('connection', peripheral.connectAsync());
  say('connected');
  const link = new Link(stack, peripheral);
  try {
    return await provision(link, task.networks) ? 0 : 1;
  } catch (e) {
    if (!(e instanceof Refused)) throw e;
    say('refused', { message: e.message });
    return 2;
  } finally {
    await link.leave();
    stack.stop();
  }
}

main(JSON.parse(require('fs').readFileSync(0))).then((code) => process.exit(code), (e) => {
  say('error', { message: e.message });
  process.exit(2);
});
