import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { describe, it } from 'node:test';
import { explain, Gateway, GatewayError, type Credentials, type ErrorCode, type Step } from '../src/index.js';
import { bytes, domError, FakeGateway, utf8 } from './fake.js';

const quick = {
  connect: 200, reconnect: 60, answer: 200, pairing: 400, attempt: 1500, silence: 60, address: 300, scan: 400, look: 5, pauses: [2, 4, 8],
};
const home: Credentials = { ssid: 'home', password: 'correct horse' };

async function opened(fake: FakeGateway): Promise<Gateway> {
  return Gateway.request({ bluetooth: fake, times: quick });
}

async function collect(steps: AsyncIterable<Step>): Promise<Step[]> {
  const all: Step[] = [];
  for await (const step of steps) all.push(step);
  return all;
}

const kinds = (steps: Step[]): string[] => steps.map((s) => s.kind === 'failed' ? `failed: ${s.reason}` : s.kind);

async function fails(code: ErrorCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof GatewayError && error.code === code && explain(code).what !== '');
}

void describe('request', () => {
  void it('asks for gateways only', async () => {
    const fake = new FakeGateway();
    await Gateway.request({ bluetooth: fake, namePrefix: 'Kitchen' });
    assert.deepEqual(fake.lastRequest, {
      filters: [{ services: ['8b840001-f6fa-4e33-9a0c-e14d9f35f201'], namePrefix: 'Kitchen' }],
      optionalServices: ['8b840100-f6fa-4e33-9a0c-e14d9f35f201', '021a9004-0382-4aea-bff4-6b3f1c5adfb4'],
    });
  });

  void it('says why there is none', async () => {
    await fails('no-bluetooth', Gateway.request());
    for (const [error, code] of [
      ['NotFoundError', 'cancelled'], ['SecurityError', 'not-allowed'], ['NotSupportedError', 'no-bluetooth'],
    ] as const) {
      const fake = new FakeGateway();
      fake.chooser = domError(error);
      await fails(code, opened(fake));
      fake.available = false;
      await fails('bluetooth-off', opened(fake));
    }
  });
});

void describe('provision', () => {
  void it('brings the gateway onto the network', async () => {
    const fake = new FakeGateway();
    fake.outcomes(() => { fake.joins(); });
    const gateway = await opened(fake);
    const steps = await collect(gateway.provision(home));
    assert.deepEqual(kinds(steps), ['opening', 'sending', 'joining', 'joined', 'connected']);
    assert.deepEqual(steps.at(-1), { kind: 'connected', network: { ssid: utf8('home'), name: 'home', ipv4: '192.0.2.42' } });
    assert.deepEqual(fake.log.filter((l) => l.startsWith('write')), [
      'write 0002 686f6d65', `write 0003 ${Buffer.from('correct horse').toString('hex')}`, 'write 0004 ff', 'write 0005 01',
    ]);
    assert.deepEqual(kinds(await collect(gateway.provision({ ssid: 'x' }))).slice(0, 1), ['sending']);
  });

  void it('wipes the password, and leaves the caller’s alone', async () => {
    const fake = new FakeGateway();
    fake.outcomes(() => { fake.joins(); });
    const password = utf8('correct horse');
    await collect((await opened(fake)).provision({ ssid: utf8('home'), password }));
    assert.deepEqual(fake.buffers[1], new Uint8Array(password.length));
    assert.deepEqual(password, utf8('correct horse'));
  });

  void it('tells the reason, and the second try has everything again', async () => {
    const fake = new FakeGateway();
    fake.outcomes(() => { fake.fails(1); }, () => { fake.joins(); });
    const gateway = await opened(fake);
    assert.deepEqual(kinds(await collect(gateway.provision(home))), ['opening', 'sending', 'joining', 'failed: wrong-password']);
    assert.deepEqual(kinds(await collect(gateway.provision(home))), ['sending', 'joining', 'joined', 'connected']);
    assert.equal(fake.count(/^write 0003/), 2);
  });

  void it('does not take what belongs to an attempt before for its own', async () => {
    const fake = new FakeGateway();
    fake.outcomes(() => { fake.notify('0006', 4); fake.notify('0006', 3); fake.joins(); });
    assert.deepEqual(kinds(await collect((await opened(fake)).provision(home))), ['opening', 'sending', 'joining', 'joined', 'connected']);
  });

  void it('sends nothing that no network can have', async () => {
    const fake = new FakeGateway();
    const gateway = await opened(fake);
    const hex = '0123456789abcdefABCDEF'.repeat(3).slice(0, 64);
    for (const bad of [
      { ssid: '' }, { ssid: 'x'.repeat(33) }, { ssid: 'x', password: '1234567' }, { ssid: 'x', password: 'x'.repeat(64) },
      { ssid: 'x', password: '12345678\0' }, { ssid: 'x', security: 'wpa2' }, { ssid: 'x', password: hex, security: 'wpa3' },
      { ssid: 'x', password: 'x'.repeat(65), security: 'open' },
    ] satisfies Credentials[]) {
      assert.deepEqual(kinds(await collect(gateway.provision(bad))), ['failed: not-valid']);
    }
    assert.deepEqual(fake.log, []);
    fake.outcomes(() => { fake.notify('0101', 8); fake.notify('0006', 4); });
    assert.deepEqual(kinds(await collect(gateway.provision({ ssid: 'x', password: hex }))), ['opening', 'sending', 'failed: not-valid']);
  });

  void it('waits for an address, and for the news that there is none', async () => {
    const fake = new FakeGateway();
    fake.outcomes(() => {
      fake.joins('home', '');
      setTimeout(() => { fake.values.set('0102', utf8('{"ssid":"home","ipv4":"192.0.2.7"}')); fake.notify('0102', 30, 0); }, 20);
    }, () => {
      fake.joins('home', '');
      setTimeout(() => { fake.notify('0101', 5); }, 20);
    }, () => { fake.joins('home', ''); });
    const gateway = await opened(fake);
    const last = (await collect(gateway.provision(home))).at(-1);
    assert.equal(last?.kind === 'connected' && last.network?.ipv4, '192.0.2.7');
    assert.deepEqual(kinds(await collect(gateway.provision(home))).at(-1), 'failed: no-address');
    assert.deepEqual(kinds(await collect(gateway.provision(home))).at(-1), 'failed: no-address'); // it never tells
  });

  void it('comes back when the connection is lost in the middle', async () => {
    const fake = new FakeGateway();
    fake.outcomes(() => { fake.notify('0006', 2); fake.drop(); fake.joins(); });
    const steps = await collect((await opened(fake)).provision(home));
    assert.deepEqual(kinds(steps), ['opening', 'sending', 'joining', 'reopening', 'joined', 'connected']);
    assert.equal(fake.count(/^write 0005/), 1);
  });

  void it('learns the outcome that it missed', async () => {
    for (const [reason, want] of [[1, 'failed: wrong-password'], [0, 'failed: unknown']] as const) {
      const fake = new FakeGateway();
      fake.outcomes(() => {
        fake.notify('0006', 2);
        fake.drop();
        if (reason) fake.fails(reason); else fake.joins('the one before');
      });
      assert.deepEqual(kinds(await collect((await opened(fake)).provision(home))).slice(-2), ['reopening', want]);
    }
  });

  void it('stages everything again where the connection is lost before CONNECT', async () => {
    const fake = new FakeGateway();
    fake.failures.push({ match: /^write 0004/, error: domError('NetworkError'), drop: true });
    fake.outcomes(() => { fake.joins(); });
    assert.deepEqual(kinds(await collect((await opened(fake)).provision(home))).at(-1), 'connected');
    assert.equal(fake.count(/^write 0002/), 2);
    assert.equal(fake.count(/^write 0005/), 1);
  });

  void it('gives up on a gateway that has gone', async () => {
    const fake = new FakeGateway();
    fake.outcomes(() => { fake.notify('0006', 2); fake.unreachable = 1e6; fake.drop(); });
    const gateway = await opened(fake);
    await fails('unreachable', collect(gateway.provision(home)));
    fake.unreachable = 0;
    fake.outcomes(() => { fake.joins(); });
    assert.deepEqual(kinds(await collect(gateway.provision(home))).at(-1), 'connected');
  });

  void it('ends when the gateway does not', async () => {
    const fake = new FakeGateway();
    fake.outcomes(() => { fake.notify('0006', 2); });
    assert.deepEqual(kinds(await collect((await opened(fake)).provision(home))).at(-1), 'failed: timed-out');
  });

  void it('works with Zephyr’s sample, which has no details', async () => {
    const fake = new FakeGateway();
    fake.missing.add('01');
    fake.outcomes(() => { fake.notify('0006', 2); fake.notify('0006', 4); }, () => { fake.joins(); });
    const gateway = await opened(fake);
    assert.deepEqual(kinds(await collect(gateway.provision(home))).at(-1), 'failed: unknown');
    assert.deepEqual((await collect(gateway.provision(home))).at(-1), { kind: 'connected', network: undefined });
    await fails('unsupported', gateway.scan());
    assert.equal(await gateway.device(), undefined);
    assert.equal(await gateway.country(), undefined);
    assert.deepEqual(await gateway.status(), { status: 'connected', reason: 'none', network: undefined });
  });
});

void describe('pairing', () => {
  void it('repeats what is refused until the user has confirmed it', async () => {
    const fake = new FakeGateway();
    for (let i = 0; i < 6; i++) fake.failures.push({ match: /^read 0006/, error: domError('NotSupportedError', 'GATT operation not permitted.') });
    await (await opened(fake)).connect();
    assert.equal(fake.count(/^read 0006/), 7);
  });

  void it('outlives a first 0x0E, and Chromium’s loss of memory', async () => {
    const fake = new FakeGateway();
    fake.failures.push(
      { match: /^notify 0006/, error: domError('NotSupportedError', 'GATT operation failed for unknown reason.') },
      { match: /^write 0002/, error: domError('NotFoundError') },
      { match: /^write 0003/, error: domError('InvalidStateError') },
    );
    fake.outcomes(() => { fake.joins(); });
    assert.deepEqual(kinds(await collect((await opened(fake)).provision(home))).at(-1), 'connected');
  });

  void it('outlives a browser that does not see the service at first', async () => {
    const fake = new FakeGateway();
    fake.missing.add('00');
    setTimeout(() => { fake.missing.delete('00'); }, 5);
    await (await opened(fake)).connect();
  });

  void it('gives up where a bond is gone on one side', async () => {
    const fake = new FakeGateway();
    for (let i = 0; i < 4; i++) fake.failures.push({ match: /^read 0006/, error: domError('NetworkError'), drop: true });
    await fails('pairing', (await opened(fake)).connect());
  });

  void it('gives up where nobody confirms', async () => {
    const fake = new FakeGateway();
    for (let i = 0; i < 500; i++) fake.failures.push({ match: /^read 0006/, error: domError('NotSupportedError') });
    await fails('pairing', (await opened(fake)).connect());
  });
});

void describe('the link', () => {
  void it('does one request at a time', async () => {
    const fake = new FakeGateway();
    const gateway = await opened(fake);
    await Promise.all([gateway.status(), gateway.device(), gateway.country(), gateway.status()]);
    assert.equal(fake.count(/^connect/), 1);
  });

  void it('connects again by itself', async () => {
    const fake = new FakeGateway();
    const gateway = await opened(fake);
    assert.equal((await gateway.status()).status, 'idle');
    fake.drop();
    fake.unreachable = 2;
    assert.equal((await gateway.status()).status, 'idle');
    gateway.disconnect();
    assert.equal(gateway.connected, false);
  });

  void it('says what is no gateway, what refuses, and what hangs', async () => {
    const other = new FakeGateway();
    other.missing.add('00');
    await fails('not-a-gateway', (await opened(other)).connect());
    const stubborn = new FakeGateway();
    for (let i = 0; i < 50; i++) stubborn.failures.push({ match: /^write 0106/, error: domError('NotSupportedError') });
    await fails('rejected', (await opened(stubborn)).setCountry('de'));
    assert.equal(stubborn.count(/^write 0106 4445/), 4);
    const silent = new FakeGateway();
    const gateway = await opened(silent);
    await gateway.connect();
    silent.answer = () => new Promise(() => undefined);
    await fails('no-answer', gateway.status());
  });
});

/** A program on the gateway that answers with what was sent, backwards. */
class Program {
  got: Uint8Array[] = [];
  #expected = bytes();
  #data: number[] = [];
  #reply = bytes();

  constructor(readonly fake: FakeGateway, readonly answered = 3) {
    fake.onWrite = (short, value) => { if (short === '0107') this.#write(value); };
  }

  #write(value: Uint8Array<ArrayBuffer>): void {
    const offset = (value[1] ?? 0) + 256 * (value[2] ?? 0);
    switch (value[0]) {
      case 1: this.#expected = value; this.#data = []; break;
      case 2:
        assert.equal(offset, this.#data.length);
        this.#data.push(...value.subarray(3));
        break;
      case 3: this.#commit(); break;
      case 4: this.fake.values.set('0107', this.#reply.slice(offset, offset + 512)); break;
    }
  }

  #commit(): void {
    const data = Uint8Array.from(this.#data);
    const announced = this.#expected;
    assert.equal((announced[1] ?? 0) + 256 * (announced[2] ?? 0), data.length);
    assert.deepEqual(announced.slice(3, 35), bytes(...createHash('sha256').update(data).digest()));
    assert.deepEqual(announced.slice(35), utf8('token'));
    this.got.push(data);
    this.#reply = data.slice().reverse();
    this.fake.values.set('0107', bytes(2));
    const header = bytes(this.answered, data.length & 0xff, data.length >> 8, ...createHash('sha256').update(this.#reply).digest());
    setTimeout(() => { this.fake.values.set('0107', this.answered === 3 ? header : bytes(this.answered)); }, 20);
  }
}

void describe('sendCustom', () => {
  void it('sends data and reads the reply', async () => {
    const fake = new FakeGateway();
    const program = new Program(fake);
    const gateway = await opened(fake);
    for (const length of [0, 1, 480, 481, 4096]) {
      const data = Uint8Array.from({ length }, (_, i) => i % 251);
      assert.deepEqual(await gateway.sendCustom('token', data), data.slice().reverse());
      assert.deepEqual(program.got.at(-1), data);
    }
    assert.deepEqual(await gateway.sendCustom('token', 'text'), utf8('txet'));
  });

  void it('begins again if the connection ends', async () => {
    const fake = new FakeGateway();
    const program = new Program(fake);
    fake.failures.push({ match: /^write 0107 02e001/, error: domError('NetworkError'), drop: true });
    const data = new Uint8Array(1000).fill(7);
    assert.deepEqual(await (await opened(fake)).sendCustom('token', data), data);
    assert.equal(program.got.length, 1);
    assert.equal(fake.count(/^write 0107 01/), 2);
  });

  void it('says that nobody answers, and what cannot be', async () => {
    for (const answered of [4, 5, 0]) {
      const fake = new FakeGateway();
      new Program(fake, answered);
      await fails('no-answer', (await opened(fake)).sendCustom('token', 'x'));
    }
    const fake = new FakeGateway();
    const gateway = await opened(fake);
    await fails('rejected', gateway.sendCustom('No Name', 'x'));
    await fails('rejected', gateway.sendCustom('token', new Uint8Array(4097)));
    fake.missing.add('0107');
    await fails('unsupported', gateway.sendCustom('token', 'x'));
  });
});

void describe('erase', () => {
  void it('is done when the gateway says so or ends the connection', async () => {
    const fake = new FakeGateway();
    fake.outcomes();
    const gateway = await opened(fake);
    await gateway.erase();
    fake.onWrite = () => { fake.drop(); };
    await gateway.erase();
    fake.onWrite = () => { fake.notify('0006', 3); };
    await fails('no-answer', gateway.erase());
  });
});

void describe('scan', () => {
  const record = (signal: number, security: number, flags: number, name: Uint8Array): number[] =>
    [signal & 0xff, security, flags, name.length, ...name];

  function scans(fake: FakeGateway, ...pages: number[][]): void {
    const counts = pages.flat().length === 0 ? 0 : 3;
    fake.onWrite = (short, value) => {
      if (short === '0103') { fake.notify('0103', 1, 0); setTimeout(() => { fake.notify('0103', 2, counts); }, 5); }
      if (short === '0104') fake.values.set('0104', bytes(...pages[value[0] ?? 0] ?? []));
    };
  }

  void it('reads every page', async () => {
    const fake = new FakeGateway();
    scans(fake, [...record(-40, 1, 1, utf8('home')), ...record(-60, 0, 2, utf8('cafe'))], record(-80, 0xfe, 0, bytes(0xff, 0x41)));
    const networks = await (await opened(fake)).scan();
    assert.deepEqual(networks.map((n) => [n.name, n.signal, n.security, n.locked, n.current, n.several]), [
      ['home', -40, 'wpa2', true, true, false], ['cafe', -60, 'open', false, false, true], ['\\xFFA', -80, undefined, true, false, false],
    ]);
    scans(fake);
    assert.deepEqual(await (await opened(fake)).scan(), []);
  });

  void it('takes the end of a scan that another phone has started', async () => {
    const fake = new FakeGateway();
    for (let i = 0; i < 50; i++) fake.failures.push({ match: /^write 0103/, error: domError('NetworkError') });
    const gateway = await opened(fake);
    setTimeout(() => { fake.notify('0103', 2, 0); }, 100);
    assert.deepEqual(await gateway.scan(), []);
    await fails('rejected', gateway.scan());
  });

  void it('says that it failed, never ends, or lies', async () => {
    const fake = new FakeGateway();
    const gateway = await opened(fake);
    fake.onWrite = () => { fake.notify('0103', 3, 0); };
    await fails('scan-failed', gateway.scan());
    fake.onWrite = () => { fake.notify('0103', 1, 0); };
    await fails('no-answer', gateway.scan());
    scans(fake, [1, 2, 3]);
    await assert.rejects(gateway.scan(), RangeError);
    fake.onWrite = () => { fake.drop(); };
    await fails('unreachable', gateway.scan());
  });
});
