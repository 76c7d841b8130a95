import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { reasonOf, statusOf } from '../src/contract.js';
import { parseDevice, parseNetwork, parseRecords } from '../src/details.js';
import { displayName, sameName, ssidOf } from '../src/index.js';
import { bytes, utf8 } from './fake.js';

void describe('names', () => {
  const shown = (text: string): string => displayName(utf8(text));

  void it('are shown as they are', () => {
    for (const text of ['home', 'Café', '我的网络', 'שלום עולם', '👨‍👩‍👧 Familie', '❤️', 'a  b', '<b>&amp;']) assert.equal(shown(text), text);
  });

  void it('hide nothing', () => {
    for (const [text, want] of [
      ['a\nb', 'a\\u{000A}b'], ['\u202egnp.exe', '\\u{202E}gnp.exe'], ['\u200b', '\\u{200B}'], ['a\u00a0b', 'a\\u{00A0}b'],
      ['\u2028', '\\u{2028}'], ['x\u0000', 'x\\u{0000}'], ['\ufeffx', '\\u{FEFF}x'], ['a\u200db', 'a\\u{200D}b'], ['\u3164', '\\u{3164}'],
      ['\u{e0041}', '\\u{E0041}'], ['  x ', '␣␣x␣'], ['   ', '␣␣␣'], ['\u{1f468}\u202e', '\u{1f468}\\u{202E}'],
    ] as const) assert.equal(shown(text), want);
    assert.equal(displayName(bytes(0xff, 0x41, 0x0a)), '\\xFFA\\x0A');
  });

  void it('are bytes', () => {
    assert.ok(sameName(ssidOf('Café'), bytes(0x43, 0x61, 0x66, 0xc3, 0xa9)));
    assert.ok(!sameName(ssidOf('a'), ssidOf('b')) && !sameName(ssidOf('a'), ssidOf('ab')));
  });
});

void describe('values', () => {
  void it('of the example in the protocol', () => {
    const page = Buffer.from('d8010004686f6d65b000000463616665', 'hex');
    assert.deepEqual(parseRecords(page).map((n) => [n.name, n.signal, n.security]), [['home', -40, 'wpa2'], ['cafe', -80, 'open']]);
  });

  void it('that are none', () => {
    for (const bad of [[1], [0, 0, 0, 0], [0, 0, 0, 33, ...Array<number>(33).fill(65)], [0, 0, 0, 2, 65]]) {
      assert.throws(() => parseRecords(bytes(...bad)), RangeError);
    }
  });

  void it('of a later version', () => {
    assert.equal(statusOf(9), 'unknown');
    assert.equal(statusOf(undefined), 'unknown');
    assert.equal(reasonOf(77), 'internal');
    assert.equal(reasonOf(undefined), 'unknown');
    assert.equal(parseRecords(bytes(0, 0x20, 0xfc, 1, 65))[0]?.security, 'auto');
  });

  void it('in JSON', () => {
    assert.equal(parseNetwork(utf8('{}')), undefined);
    assert.equal(parseNetwork(utf8('null')), undefined);
    assert.deepEqual(parseNetwork(utf8('{"ssid_hex":"ff41","signal_dbm":-40,"ipv4":7,"gateway":"192.0.2.1","new":{}}')), {
      ssid: bytes(0xff, 0x41), name: '\\xFFA', signal: -40, router: '192.0.2.1',
    });
    assert.deepEqual(parseDevice(utf8('{"name":"x","model":3,"version":"1"}')), { name: 'x', version: '1' });
  });
});
