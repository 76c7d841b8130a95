/** The gateway's side of Espressif's provisioning, on the fake: SRP by the book, with Node's own hash and cipher. */
import { createCipheriv, createDecipheriv, createHash, randomBytes } from 'node:crypto';
import { prime as primeOf, verifierOf } from '../src/srp.js';
import { encode, Message } from '../src/protobuf.js';
import { bytes, domError, utf8, type FakeGateway } from './fake.js';

const prime = primeOf, generator = 5n, size = 384;

export function sha512(...parts: Uint8Array[]): Uint8Array<ArrayBuffer> {
  const hash = createHash('sha512');
  for (const part of parts) hash.update(part);
  return Uint8Array.from(hash.digest());
}

const num = (b: Uint8Array): bigint => BigInt(`0x${Buffer.from(b).toString('hex')}`);
const pad = (n: bigint): Uint8Array<ArrayBuffer> => Uint8Array.from(Buffer.from(n.toString(16).padStart(2 * size, '0'), 'hex'));

function power(base: bigint, exponent: bigint): bigint {
  let result = 1n;
  for (; exponent > 0n; exponent >>= 1n, base = base * base % prime) if (exponent & 1n) result = result * base % prime;
  return result;
}

/** A network as it is told in prov-scan. */
export interface Heard { ssid: string; signal: number; auth: number }

export class FakeCode {
  readonly salt = Uint8Array.from([1, ...randomBytes(15)]);
  networks: Heard[] = [];
  /** How many of the next hellos are refused. */
  locked = 0;
  /** Whether it only pretends to know the verifier. */
  impostor = false;
  /** What was asked inside a session, in clear. */
  asked: string[] = [];
  /** The answers to status, in turn; the last one stays. */
  stations: Uint8Array<ArrayBuffer>[] = [encode([1, 1], [11, encode([2, 2])])];
  /** The result of set and apply. */
  result = 0;
  scanFails = false;
  #wrong = 0;
  #keys: { m1: Uint8Array; m2: Uint8Array; k: Uint8Array } | undefined;
  #cipher: { key: Uint8Array; nonce: Uint8Array } | undefined;

  private constructor(readonly gateway: FakeGateway, readonly verifier: bigint) {}

  /** Gives a gateway a code. */
  static async on(gateway: FakeGateway, code: string): Promise<FakeCode> {
    const fake = new FakeCode(gateway, 0n);
    Object.assign(fake, { verifier: num(await verifierOf('wifiprov', utf8(code), fake.salt)) });
    gateway.missing.delete('ff');
    gateway.values.set('ff53', utf8('{"prov":{"ver":"v1.1","sec_ver":2,"sec_patch_ver":1,"cap":["wifi_prov","wifi_scan"]}}'));
    gateway.onWrite = (short, value) => { fake.#write(short, value); };
    gateway.addEventListener('gattserverdisconnected', () => { fake.forget(); });
    return fake;
  }

  /** Forgets what was proved. */
  forget(): void { this.#keys = this.#cipher = undefined; }

  get wrong(): number { return this.#wrong; }

  #write(short: string, value: Uint8Array<ArrayBuffer>): void {
    if (short === 'ff51') this.gateway.values.set(short, this.#session(value));
    else if (short.startsWith('ff')) this.gateway.values.set(short, this.#sealed(short, value));
    else throw domError('NotSupportedError', 'GATT Error: Not permitted.');
  }

  #session(value: Uint8Array): Uint8Array<ArrayBuffer> {
    const inner = new Message(value).message(12);
    const user = inner.message(20).bytes(1), a = inner.message(20).bytes(2);
    if (inner.number(1) === 0) return this.#greet(user, a);
    const keys = this.#keys;
    this.#keys = undefined;
    if (!keys || Buffer.compare(inner.message(22).bytes(1), keys.m1) !== 0 && !this.impostor) {
      if (keys) this.#wrong++;
      throw domError('NotSupportedError', 'GATT Error: Unlikely.');
    }
    const nonce = bytes(...randomBytes(8), 0, 0, 0, 1);
    this.#cipher = { key: keys.k.subarray(0, 32), nonce };
    return encode([2, 2], [12, encode([1, 3], [23, encode([2, keys.m2], [3, nonce])])]);
  }

  #greet(user: Uint8Array, a: Uint8Array): Uint8Array<ArrayBuffer> {
    this.forget();
    if (this.locked > 0) {
      this.locked--;
      throw domError('NotSupportedError', 'GATT Error: Unlikely.');
    }
    const k = num(sha512(pad(prime), pad(generator)));
    const secret = num(randomBytes(32));
    const b = pad((k * this.verifier + power(generator, secret)) % prime);
    const u = num(sha512(a, b));
    const s = pad(power(num(a) * power(this.verifier, u) % prime, secret));
    const key = sha512(s.subarray(s.findIndex((byte) => byte !== 0)));
    const h = sha512(pad(prime)).map((byte, i) => byte ^ (sha512(pad(generator))[i] ?? 0));
    const m1 = sha512(h, sha512(user), this.salt, a, b, key);
    this.#keys = { m1, m2: sha512(a, m1, key), k: key };
    return encode([2, 2], [12, encode([1, 1], [21, encode([2, b], [3, this.salt])])]);
  }

  #sealed(short: string, value: Uint8Array): Uint8Array<ArrayBuffer> {
    const cipher = this.#cipher;
    if (!cipher) throw domError('NotSupportedError', 'GATT Error: Unlikely.');
    const turn = (): Uint8Array => {
      const nonce = cipher.nonce.slice(), counter = new DataView(cipher.nonce.buffer, cipher.nonce.byteOffset + 8);
      counter.setUint32(0, counter.getUint32(0) + 1);
      return nonce;
    };
    const open = createDecipheriv('aes-256-gcm', cipher.key, turn());
    open.setAuthTag(value.subarray(-16));
    const plain = Uint8Array.from(Buffer.concat([open.update(value.subarray(0, -16)), open.final()]));
    this.asked.push(`${short} ${Buffer.from(plain).toString('hex')}`);
    const seal = createCipheriv('aes-256-gcm', cipher.key, turn());
    const answer = short === 'ff50' ? this.#scan(plain) : this.#config(plain);
    return Uint8Array.from(Buffer.concat([seal.update(answer), seal.final(), seal.getAuthTag()]));
  }

  #config(plain: Uint8Array): Uint8Array<ArrayBuffer> {
    const command = new Message(plain).number(1);
    if (command === 0) return (this.stations.length > 1 ? this.stations.shift() : this.stations[0]) ?? bytes();
    return encode([1, command + 1], [11 + command, encode(...this.result ? [[1, this.result] as const] : [])]);
  }

  #scan(plain: Uint8Array): Uint8Array<ArrayBuffer> {
    const request = new Message(plain), command = request.number(1);
    const status = command === 0 && this.scanFails ? [[2, 5] as const] : [];
    const start = request.message(14).number(1);
    const body = [encode(), encode([1, 1], [2, this.networks.length]), encode(...this.networks.slice(start, start + 4).map((n) =>
      [1, Uint8Array.from([...encode([1, n.ssid]), 0x18, ...negative(n.signal), ...encode([5, n.auth])])] as const))][command / 2];
    return encode([1, command + 1], ...status, [11 + command, body ?? bytes()]);
  }
}

/** A negative number has ten bytes. */
function negative(n: number): number[] {
  const all: number[] = [];
  for (let rest = BigInt.asUintN(64, BigInt(n)); ; rest >>= 7n) {
    if (rest < 128n) return [...all, Number(rest)];
    all.push(Number(rest & 0x7fn) | 0x80);
  }
}
