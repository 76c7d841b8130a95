import assert from 'node:assert/strict';
import type { build as Build } from 'esbuild';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { CodeSession, codeOf, explain, Gateway, GatewayError, type Credentials, type ErrorCode, type Step } from '../src/index.js';
import * as protocomm from '../src/protocomm.js';
import { encode, Message } from '../src/protobuf.js';
import { reasonOf } from '../src/contract.js';
import { agree, SrpClient, verifierOf } from '../src/srp.js';
import { bytes, domError, FakeGateway, utf8 } from './fake.js';
import { FakeCode } from './fakecode.js';

const top = dirname(dirname(dirname(fileURLToPath(import.meta.url)))); // of the repository: this runs in build/web-tests
const { build } = createRequire(join(top, 'web/package.json'))('esbuild') as { build: typeof Build };
const quick = {
  connect: 200, reconnect: 60, answer: 200, pairing: 400, attempt: 1500, silence: 60, address: 300, scan: 400, look: 5, pauses: [2, 4, 8],
};
const code = 'K7QF2M9XWR4T';
const home: Credentials = { ssid: 'home', password: 'correct horse' };

const joined = encode([1, 1], [11, encode([11, encode([1, '192.0.2.42'], [2, 3], [3, 'home'], [4, bytes(2, 0, 0, 0, 1, 0)], [5, 6])])]);
const joining = encode([1, 1], [11, encode([2, 1])]);
const failed = (reason: number): Uint8Array<ArrayBuffer> => encode([1, 1], [11, encode([2, 3], [10, reason])]);
const away = encode([1, 1], [11, encode([2, 2])]);

/** What a gateway tells that lets nobody in without its code (docs/protocol.md). */
const codeOnly = '{"prov":{"ver":"v1.1","sec_ver":2,"sec_patch_ver":1,"cap":["wifi_prov","wifi_scan"]},"wifiprovd":{"ver":"v1.0","cap":["code_only"]}}';

async function gatewayWith(label: string): Promise<{ fake: FakeGateway; box: FakeCode; gateway: Gateway }> {
  const fake = new FakeGateway();
  const box = await FakeCode.on(fake, label);
  return { fake, box, gateway: await Gateway.request({ bluetooth: fake, times: quick, code: true }) };
}

async function kindsOf(steps: AsyncIterable<Step>): Promise<string[]> {
  const all: string[] = [];
  for await (const step of steps) all.push(step.kind === 'failed' ? `failed: ${step.reason}` : step.kind);
  return all;
}

async function fails(want: ErrorCode, promise: Promise<unknown>): Promise<void> {
  await assert.rejects(promise, (error) => error instanceof GatewayError && error.code === want && explain(want).advice !== '');
}

type Vectors = Record<string, { name: string; hex: string }[]>;
const vectors = JSON.parse(readFileSync(join(top, 'internal/srp/testdata/protocomm-vectors.json'), 'utf8')) as Vectors;
const unhex = (text: string): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(text, 'hex'));
const hex = (value: Uint8Array): string => Buffer.from(value).toString('hex');

/** The sessions of Security 2 with counted nonces that Espressif's own client has had. */
const runs = Object.entries(vectors).filter(([name]) => name.startsWith('sec2_') && !/wrong|patch0/.test(name));

void describe('Espressif’s own client', () => {
  for (const [name, run] of runs) {
    const get = (key: string): Uint8Array<ArrayBuffer> => unhex(run.find((v) => v.name === `sec2.${key}`)?.hex ?? '');
    const air = run.filter((v) => v.name.endsWith('.prov-session')).map((v) => v.hex);

    void it(`sends the same handshake, and comes to the same: ${name}`, async () => {
      const user = new TextDecoder().decode(get('username'));
      assert.equal(hex(await verifierOf(user, utf8('abcd1234'), get('salt'))), hex(get('verifier')));
      const agreed = await agree(user, get('salt'), get('A'), get('B'), get('S'));
      assert.equal(hex(agreed.key), hex(get('K')));
      assert.equal(hex(agreed.client), hex(get('M1_client')));
      assert.equal(hex(agreed.server), hex(get('M2')));
      assert.equal(hex(protocomm.hello(user, get('A'))), air[0]);
      assert.deepEqual(protocomm.parseHandshake(unhex(air[1] ?? ''), 1).map(hex), [hex(get('B')), hex(get('salt'))]);
      assert.equal(hex(protocomm.proof(get('M1_client'))), air[2]);
      assert.deepEqual(protocomm.parseHandshake(unhex(air[3] ?? ''), 3).map(hex), [hex(get('M2')), hex(get('nonce'))]);
    });

    void it(`seals and opens the same: ${name}`, async () => {
      const cipher = await protocomm.Cipher.of(get('K'), get('nonce'));
      let sealed = '', plain = '', messages = 0;
      for (const v of run) {
        if (/proto-ver|prov-session|^sec2/.test(v.name)) continue;
        if (v.name.startsWith('write.')) sealed = v.hex;
        else if (v.name.endsWith('.in')) assert.equal(hex(await cipher.seal(unhex(v.hex))), sealed, v.name);
        else if (v.name.endsWith('.out')) plain = v.hex;
        else assert.equal(hex(await cipher.open(unhex(v.hex))), plain, v.name);
        messages++;
      }
      assert.ok(messages >= 4, `${messages}`);
    });
  }

  void it('there are some', () => { assert.ok(runs.length >= 3); });

  void it('asks for the same, and is told the same', () => {
    const { requests } = protocomm;
    const plain = (name: string): string[] => (vectors['sec2_patch1_esp_prov_v5.5'] ?? []).filter((v) => v.name === name).map((v) => v.hex);
    const [set, apply, status] = plain('plain.prov-config.in');
    const [setDone, , connected] = plain('plain.prov-config.out');
    assert.equal(hex(requests.set(utf8('home'), utf8('correct horse'))), set);
    assert.equal(hex(requests.apply()), apply);
    assert.equal(hex(requests.status()), status);
    assert.equal(protocomm.parseResult(unhex(setDone ?? '')), 0);
    assert.deepEqual(protocomm.parseStation(unhex(connected ?? ''), reasonOf), {
      state: 'joined', reason: 'none', network: {
        ssid: utf8('home'), name: 'home', bssid: '02:00:00:00:01:00', frequency: 2437, security: 'WPA2-PSK', ipv4: '192.0.2.42',
      },
    });
    const scan = (vectors['sec2_scan'] ?? []).filter((v) => v.name.startsWith('plain.prov-scan'));
    const at = (wanted: string): string => scan[scan.findIndex((v) => v.hex === wanted) + 1]?.hex ?? 'none';
    assert.equal(protocomm.parseScanned(unhex(at(hex(requests.scanned())))), 9);
    const first = scan.find((v) => v.hex.startsWith('0805'))?.hex ?? '';
    assert.deepEqual(protocomm.parsePage(unhex(first)).slice(0, 3).map(({ name, signal, security }) => [name, signal, security]),
      [['home', -40, 'auto'], ['cafe', -80, 'open'], ['wpa3', -55, 'auto']]);
  });
});

void describe('messages', () => {
  void it('that are none are not taken', () => {
    for (const text of ['00', '08', '08ff', '6202', '620200', '0b', '62ffffffffffffffffff01', '0880808080808080808080']) {
      assert.throws(() => new Message(unhex(text)), RangeError, text);
    }
    for (const text of ['', '1002', '10026203080122', '100262050802b20100']) assert.throws(() => protocomm.parseHandshake(unhex(text), 1), text);
  });

  void it('may have more than is asked for', () => {
    const message = new Message(unhex('0801' + '0802' + '7901020304050607087d01020304' + '120161' + '1200'));
    assert.equal(message.number(1), 2);
    assert.deepEqual(message.bytes(2), bytes());
    assert.equal(message.number(9), 0);
  });
});

void describe('a public key of the gateway', () => {
  void it('that is none of the group is not taken', async () => {
    for (const key of [bytes(), bytes(0), new Uint8Array(384), new Uint8Array(385).fill(1)]) {
      await assert.rejects(new SrpClient('wifiprov').agree(utf8(code), bytes(1), key), RangeError);
    }
  });
});

void describe('a code that is typed', () => {
  void it('is the one on the label', () => {
    for (const typed of [code, 'k7qf2m9xwr4t', 'K7QF-2M9X-WR4T', ' k7qf 2m9x wr4t ', 'K7QF–2M9X–WR4T']) assert.equal(codeOf(typed), code);
    for (const own of ['abcd1234', 'My-own-Code', 'K7QF2M9XWR4', 'O0O0O0O0O0O0']) assert.equal(codeOf(` ${own} `), own);
  });
});

void describe('a gateway with a code', () => {
  void it('is found by its service, says that it asks, and is not paired for that', async () => {
    const { fake, gateway } = await gatewayWith(code);
    assert.deepEqual((fake.lastRequest as { filters: unknown }).filters,
      [{ services: ['8b840001-f6fa-4e33-9a0c-e14d9f35f201'] }, { services: ['021a9004-0382-4aea-bff4-6b3f1c5adfb4'] }]);
    assert.equal(await gateway.asksForCode(), true);
    assert.equal(fake.count(/^read/), 0);
    fake.missing.add('ff');
    fake.drop();
    assert.equal(await gateway.asksForCode(), false);
    assert.equal(fake.count(/^read/), 0);
    fake.drop();
    fake.late = 2;
    assert.equal(await gateway.asksForCode(), true); // though the browser knows its services one after the other
  });

  void it('tells whether there is another way in, and is not paired for that', async () => {
    const { fake, gateway } = await gatewayWith(code);
    assert.equal(await gateway.needsCode(), false);
    for (const [about, only] of [[codeOnly, true], ['{"wifiprovd":{"cap":["other"]}}', false], ['{"wifiprovd":7}', false], ['null', false], ['{', false], ['', false]] as const) {
      fake.values.set('ff53', utf8(about));
      assert.equal(await gateway.needsCode(), only, about);
    }
    assert.equal(fake.count(/^(read|write|notify) (?!ff53)/), 0);
    fake.missing.add('ff');
    fake.drop();
    assert.equal(await gateway.needsCode(), false);
  });

  void it('says at once that it is the code that is missing where it refuses everything else', async () => {
    const { fake, gateway } = await gatewayWith(code);
    const shut = (): void => {
      fake.failures = Array.from({ length: 20 }, () => ({ match: /^write 0/, error: domError('NotSupportedError', 'GATT operation not permitted.') }));
    };
    fake.values.set('ff53', utf8(codeOnly));
    await gateway.connect();
    for (const ask of [() => gateway.scan(), () => kindsOf(gateway.provision(home)), () => gateway.erase(), () => gateway.setCountry('DE'),
      () => gateway.sendCustom('claim-token', 'x')]) {
      shut();
      const begin = Date.now();
      await fails('code-needed', ask());
      assert.ok(Date.now() - begin < quick.scan / 2, `${Date.now() - begin} ms`);
    }
    fake.values.set('ff53', utf8('{}')); // others may provision it, and one of them has a scan run
    shut();
    await fails('rejected', gateway.scan());
  });

  void it('is provisioned, and what it is told is sealed', async () => {
    const { fake, box, gateway } = await gatewayWith(code);
    const session = await CodeSession.prove(gateway, code);
    assert.deepEqual(await session.status(), { status: 'idle', reason: 'none', network: undefined });
    box.stations = [joining, joining, joined];
    const steps: Step[] = [];
    for await (const step of session.provision(home)) steps.push(step);
    assert.deepEqual(steps.map((s) => s.kind), ['sending', 'joining', 'connected']);
    const last = steps.at(-1);
    assert.equal(last?.kind === 'connected' && last.network?.ipv4, '192.0.2.42');
    assert.deepEqual(box.asked.slice(1, 3), ['ff52 080262150a04686f6d65120d636f727265637420686f727365', 'ff52 0804']);
    assert.ok(!fake.log.join().includes(hex(utf8('horse'))), 'the password is in clear');
    assert.ok(!fake.log.join().includes(hex(utf8(code))), 'the code is sent');
    assert.equal(fake.count(/^(read|write|notify) 0/), 0); // nothing that asks for pairing
  });

  void it('says why it has failed, and may be told again in the same session', async () => {
    const { fake, box, gateway } = await gatewayWith(code);
    const session = await CodeSession.prove(gateway, code);
    for (const [reason, want] of [[0, 'wrong-password'], [1, 'not-found'], [103, 'refused'], [109, 'internal'], [177, 'internal']] as const) {
      box.stations = [joining, failed(reason)];
      assert.deepEqual(await kindsOf(session.provision(home)), ['sending', 'joining', `failed: ${want}`]);
    }
    assert.equal(fake.count(/^write ff51/), 2);
    assert.deepEqual(await kindsOf(session.provision({ ssid: 'home', password: 'short' })), ['failed: not-valid']);
    box.result = 4;
    assert.deepEqual(await kindsOf(session.provision(home)), ['sending', 'failed: not-valid']);
    box.result = 5;
    await fails('rejected', kindsOf(session.provision(home)));
    box.result = 0;
    box.stations = [away];
    assert.deepEqual((await kindsOf(session.provision(home))).at(-1), 'failed: timed-out');
  });

  void it('tells its networks', async () => {
    const { box, gateway } = await gatewayWith(code);
    const session = await CodeSession.prove(gateway, code);
    assert.deepEqual(await session.scan(), []);
    box.networks = [...Array(9).keys()].map((i) => ({ ssid: `net ${i}`, signal: -40 - i, auth: i % 8 }));
    const networks = await session.scan();
    assert.deepEqual(networks.map((n) => [n.name, n.signal, n.security, n.locked]).slice(0, 3),
      [['net 0', -40, 'open', false], ['net 1', -41, undefined, true], ['net 2', -42, 'auto', true]]);
    assert.equal(networks.length, 9);
    assert.equal(networks[5]?.security, undefined);
    box.scanFails = true;
    await fails('scan-failed', session.scan());
  });
});

void describe('a session', () => {
  void it('is not opened by a wrong code, which is one guess', async () => {
    const { box, gateway } = await gatewayWith(code);
    await fails('wrong-code', CodeSession.prove(gateway, 'K7QF2M9XWR4U'));
    assert.equal(box.wrong, 1);
    await fails('wrong-code', CodeSession.prove(gateway, code, { user: 'somebody' }));
    assert.equal(box.wrong, 2);
    assert.ok(await CodeSession.prove(gateway, code));
  });

  void it('waits for moments, and says so where it is longer', async () => {
    const { box, gateway } = await gatewayWith(code);
    box.locked = 2;
    assert.ok(await CodeSession.prove(gateway, code));
    box.locked = 99;
    await fails('code-locked', CodeSession.prove(gateway, code));
    assert.equal(box.wrong, 0);
  });

  void it('is with the gateway, and with nobody who pretends to be it', async () => {
    const { box, gateway } = await gatewayWith('another code');
    box.impostor = true;
    await fails('impostor', CodeSession.prove(gateway, code));
    const { fake, gateway: other } = await gatewayWith(code);
    fake.onWrite = () => { fake.values.set('ff51', bytes(1, 2, 3)); };
    await fails('impostor', CodeSession.prove(other, code));
  });

  void it('that is forgotten is opened again', async () => {
    const { box, gateway } = await gatewayWith(code);
    const session = await CodeSession.prove(gateway, code);
    box.forget();
    box.stations = [joined];
    assert.equal((await session.status()).status, 'connected');
    assert.deepEqual(await kindsOf(session.provision(home)), ['sending', 'joining', 'connected']);
  });

  void it('whose answer is damaged is opened again', async () => {
    const { fake, gateway } = await gatewayWith(code);
    const session = await CodeSession.prove(gateway, code);
    const { onWrite } = fake;
    fake.onWrite = (short, value) => {
      onWrite(short, value);
      if (short !== 'ff52') return;
      fake.values.set(short, new Uint8Array(40));
      fake.onWrite = onWrite;
    };
    assert.equal((await session.status()).status, 'idle');
  });

  void it('that does not last is given up', async () => {
    const { fake, box, gateway } = await gatewayWith(code);
    const session = await CodeSession.prove(gateway, code);
    const { onWrite } = fake;
    fake.onWrite = (short, value) => {
      if (short === 'ff52') box.forget();
      onWrite(short, value);
    };
    await fails('session-lost', session.status());
  });

  void it('that is lost with its connection comes back, with what was sent', async () => {
    const { fake, box, gateway } = await gatewayWith(code);
    const session = await CodeSession.prove(gateway, code);
    box.stations = [joining, away, joined];
    setTimeout(() => { fake.drop(); }, 12);
    const steps = await kindsOf(session.provision(home));
    assert.deepEqual(steps.slice(0, 2), ['sending', 'joining']);
    assert.equal(steps.at(-1), 'connected');
  });

  void it('of a connection that is lost in an attempt: reads how that has ended, or begins it anew', async () => {
    for (const [after, sent] of [[[joined], 1], [[away, joining, joined], 2]] as const) {
      const { fake, box, gateway } = await gatewayWith(code);
      const session = await CodeSession.prove(gateway, code);
      const { onWrite } = fake;
      let looks = 0;
      fake.onWrite = (short, value) => {
        onWrite(short, value);
        if (short === 'ff52' && box.asked.at(-1) === 'ff52 5200' && ++looks === 1) fake.drop();
      };
      box.stations = [joining, ...after];
      assert.deepEqual(await kindsOf(session.provision(home)), ['sending', 'joining', 'reopening', 'connected']);
      assert.equal(box.asked.filter((line) => line === 'ff52 0804').length, sent);
    }
  });

  void it('leaves its buffers wiped of the password', async () => {
    const { fake, box, gateway } = await gatewayWith(code);
    box.stations = [joined];
    const password = utf8('correct horse');
    await kindsOf((await CodeSession.prove(gateway, code)).provision({ ssid: 'home', password }));
    assert.deepEqual(password, utf8('correct horse'));
    assert.ok(!fake.buffers.some((buffer) => hex(buffer).includes(hex(utf8('horse')))));
  });

  void it('does not stand in the way of the gateway’s other methods', async () => {
    const { fake, box, gateway } = await gatewayWith(code);
    await CodeSession.prove(gateway, code);
    await gateway.connect();
    assert.equal((await gateway.status()).status, 'idle');
    assert.ok(fake.count(/^notify 0006/) > 0);
    await fails('rejected', kindsOf(gateway.provision(home)));
    assert.deepEqual(box.asked, []);
    fake.failures.push({ match: /write ff51/, error: domError('NetworkError'), drop: true });
    assert.ok(await CodeSession.prove(gateway, code)); // and the other way round
  });
});

void describe('a page without a code', () => {
  void it('has none of it', async () => {
    const bundle = async (contents: string): Promise<string> => {
      const { outputFiles } = await build({
        stdin: { contents, resolveDir: join(top, 'web/client/src') }, bundle: true, minify: true, format: 'esm', write: false, logLevel: 'silent',
      });
      return outputFiles[0]?.text ?? '';
    };
    const without = await bundle("import { Gateway } from './index.ts'; console.log(Gateway)");
    const having = await bundle("import { Gateway, CodeSession } from './index.ts'; console.log(Gateway, CodeSession)");
    for (const part of ['SHA-512', 'AES-GCM', 'C90FDAA2']) {
      assert.ok(!without.includes(part), `${part} without`);
      assert.ok(having.includes(part), `no ${part}`);
    }
    assert.ok(having.length - without.length > 4000, `${having.length - without.length} bytes`);
  });
});
