/** What goes over the air in Espressif's provisioning, Security 2: docs/protocol.md of wifiprovd. */
import type { Reason, Security } from './contract.js';
import type { CurrentNetwork, Network } from './details.js';
import { displayName } from './names.js';
import { encode, Message } from './protobuf.js';

type Bytes = Uint8Array<ArrayBuffer>;

const security2 = 2;

/** The client's name and public key. */
export function hello(user: string, key: Uint8Array): Bytes {
  return encode([2, security2], [12, encode([20, encode([1, user], [2, key])])]);
}

/** The client's proof. */
export function proof(m1: Uint8Array): Bytes {
  return encode([2, security2], [12, encode([1, 2], [22, encode([1, m1])])]);
}

/**
 * The gateway's step of the handshake: 1 with its public key and salt, 3 with its proof and the nonce.
 *
 * @throws RangeError if it is not that.
 */
export function parseHandshake(value: Uint8Array, step: 1 | 3): readonly [Bytes, Bytes] {
  const inner = new Message(value).message(12), body = inner.message(20 + step);
  const parts = [body.bytes(2), body.bytes(3)] as const;
  if (inner.number(1) !== step || parts.some((part) => part.length === 0)) throw new RangeError('a handshake that is none');
  return parts;
}

/**
 * What goes over the air after a handshake: AES-256-GCM, with one counter for both directions in the nonce. Requests and
 * answers must come in turn.
 */
export class Cipher {
  readonly #key: CryptoKey;
  readonly #nonce: Bytes;

  private constructor(key: CryptoKey, nonce: Bytes) {
    this.#key = key;
    this.#nonce = nonce;
  }

  /** @param key K; its first 32 bytes count. */
  static async of(key: Bytes, nonce: Bytes): Promise<Cipher> {
    if (nonce.length !== 12) throw new RangeError('a nonce that is none');
    const imported = await crypto.subtle.importKey('raw', key.subarray(0, 32), 'AES-GCM', false, ['encrypt', 'decrypt']);
    return new Cipher(imported, nonce.slice());
  }

  async seal(plain: Bytes): Promise<Bytes> { return new Uint8Array(await crypto.subtle.encrypt(this.#turn(), this.#key, plain)); }

  /** @throws what Web Crypto throws if it was not sealed for now. */
  async open(sealed: Bytes): Promise<Bytes> { return new Uint8Array(await crypto.subtle.decrypt(this.#turn(), this.#key, sealed)); }

  #turn(): AesGcmParams {
    const turn = { name: 'AES-GCM', iv: this.#nonce.slice() };
    const counter = new DataView(this.#nonce.buffer, 8);
    counter.setUint32(0, counter.getUint32(0) + 1);
    return turn;
  }
}

/** The requests; the answer to each is in a field whose number is one more, and so is its own number. */
export const requests = {
  status: (): Bytes => encode([10, new Uint8Array()]),
  set: (ssid: Uint8Array, password: Uint8Array): Bytes =>
    encode([1, 2], [12, encode([1, ssid], ...password.length ? [[2, password] as const] : [])]),
  apply: (): Bytes => encode([1, 4]),
  // Blocking, and 120 ms a channel, as Espressif's apps ask.
  scan: (): Bytes => encode([10, encode([1, 1], [4, 120])]),
  scanned: (): Bytes => encode([1, 2]),
  /** Networks from this one on, at most four. */
  page: (start: number): Bytes => encode([1, 4], [14, encode(...start ? [[1, start] as const] : [], [2, 4])]),
};

/** The results there are words for. */
export const result = { success: 0, invalidArgument: 4 } as const;

/** The result of set or apply. */
export function parseResult(answer: Uint8Array): number {
  const message = new Message(answer);
  return message.message(10 + message.number(1)).number(1);
}

/** How the gateway's Wi-Fi is. */
export interface Station {
  readonly state: 'joined' | 'joining' | 'disconnected' | 'failed';
  readonly reason: Reason;
  readonly network: CurrentNetwork | undefined;
}

const states = ['joined', 'joining', 'disconnected', 'failed'] as const;

// The protocol's own two, and the others behind this number.
const ownReasons: readonly Reason[] = ['wrong-password', 'not-found'];
const firstReason = 100;

const kinds: Readonly<Record<number, string>> = { 0: 'open', 2: 'WPA-PSK', 3: 'WPA2-PSK', 4: 'WPA2-PSK', 6: 'SAE', 7: 'SAE' };

function frequencyOf(channel: number): number | undefined {
  if (channel === 0) return undefined;
  if (channel === 14) return 2484;
  return channel < 14 ? 2407 + 5 * channel : 5000 + 5 * channel;
}

/** The answer to status. reasonOf knows the native protocol's numbers. */
export function parseStation(answer: Uint8Array, reasonOf: (byte: number) => Reason): Station {
  const body = new Message(answer).message(11);
  const state = states[body.number(2)] ?? 'disconnected', reason = body.number(10);
  return {
    state,
    reason: state === 'failed' ? ownReasons[reason] ?? reasonOf(reason - firstReason) : 'none',
    network: state === 'joined' ? networkOf(body.message(11)) : undefined,
  };
}

function networkOf(joined: Message): CurrentNetwork | undefined {
  const ssid = joined.bytes(3), address = new TextDecoder().decode(joined.bytes(1));
  if (ssid.length === 0) return undefined;
  const bssid = Array.from(joined.bytes(4), (byte) => byte.toString(16).padStart(2, '0')).join(':');
  const frequency = frequencyOf(joined.number(5)), security = kinds[joined.number(2)];
  return {
    ssid,
    name: displayName(ssid),
    ...bssid ? { bssid } : {},
    ...frequency ? { frequency } : {},
    ...security ? { security } : {},
    ...address ? { [address.includes(':') ? 'ipv6' : 'ipv4']: address } : {},
  };
}

/** How many networks a scan has found. */
export function parseScanned(answer: Uint8Array): number {
  return new Message(answer).message(13).number(2);
}

/** Whether a scan has succeeded, so that there is something to ask for. */
export const scanSucceeded = (answer: Uint8Array): boolean => new Message(answer).number(2) === result.success;

/** The networks of a page. */
export function parsePage(answer: Uint8Array): Network[] {
  return new Message(answer).message(15).all(1).map((bytes) => {
    const entry = new Message(bytes), ssid = entry.bytes(1), auth = entry.number(5);
    return {
      ssid, name: displayName(ssid), signal: entry.number(3), security: securityOf(auth), locked: auth !== 0, current: false, several: false,
    };
  });
}

/** WEP and enterprise networks want something else than a password. */
function securityOf(auth: number): Security | undefined {
  if (auth === 0) return 'open';
  return auth === 1 || auth === 5 ? undefined : 'auto';
}
