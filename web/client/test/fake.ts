/** A gateway behind a fake Web Bluetooth. It misbehaves as real ones, and real browsers, do. */
import type { BluetoothLike, CharacteristicLike, DeviceLike, ServerLike, ServiceLike } from '../src/index.js';

const uuid = (short: string): string => `8b84${short}-f6fa-4e33-9a0c-e14d9f35f201`;
const kinds = new Map([[uuid('0001'), '00'], [uuid('0100'), '01'], ['021a9004-0382-4aea-bff4-6b3f1c5adfb4', 'ff']]);

export const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => Uint8Array.from(values);
export const utf8 = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

/** What a browser throws. */
export function domError(name: string, message = name): Error {
  return new DOMException(message, name);
}

class FakeCharacteristic extends EventTarget implements CharacteristicLike {
  value: DataView | undefined;
  notifies = false;

  constructor(readonly gateway: FakeGateway, readonly short: string) { super(); }

  async readValue(): Promise<DataView> {
    await this.gateway.answer(`read ${this.short}`);
    const value = this.gateway.values.get(this.short) ?? bytes();
    this.change(value);
    return new DataView(value.buffer, value.byteOffset, value.byteLength);
  }

  async writeValueWithResponse(value: Uint8Array<ArrayBuffer>): Promise<void> {
    const copy = value.slice();
    this.gateway.buffers.push(value);
    await this.gateway.answer(`write ${this.short} ${Buffer.from(copy).toString('hex')}`.trim());
    this.gateway.onWrite(this.short, copy);
  }

  async startNotifications(): Promise<unknown> {
    await this.gateway.answer(`notify ${this.short}`);
    this.notifies = true;
    return this;
  }

  change(value: Uint8Array): void {
    this.value = new DataView(value.slice().buffer);
    this.dispatchEvent(new Event('characteristicvaluechanged'));
  }
}

export class FakeGateway extends EventTarget implements DeviceLike, ServerLike, BluetoothLike {
  readonly name = 'Wi-Fi Provisioning';
  readonly gatt = this;
  connected = false;
  /** What was asked, in order. */
  log: string[] = [];
  /** The buffers that were handed over to be written. */
  buffers: Uint8Array[] = [];
  values = new Map<string, Uint8Array<ArrayBuffer>>([
    ['0006', bytes(0)], ['0101', bytes(0)], ['0102', utf8('{}')], ['0104', bytes()],
    ['0105', utf8('{"name":"Wi-Fi Provisioning","version":"1.0","security":"encrypt","protocols":{"provisioning":1}}')],
    ['0106', bytes()],
  ]);
  /** What is missing. */
  missing = new Set<string>(['ff']);
  /** In how many looks what is missing is missing, before the browser knows it; 0: always. */
  late = 0;
  /** Errors for the next requests that match, first come, first served. */
  failures: { match: RegExp; error: Error; drop?: boolean }[] = [];
  /** How many of the next connects fail. */
  unreachable = 0;
  /** What the gateway does on a write. */
  onWrite: (short: string, value: Uint8Array<ArrayBuffer>) => void = () => undefined;
  lastRequest: unknown;
  chooser: Error | undefined;
  available = true;
  #busy = false;
  #characteristics = new Map<string, FakeCharacteristic>();

  requestDevice(options: unknown): Promise<DeviceLike> {
    this.lastRequest = options;
    return this.chooser ? Promise.reject(this.chooser) : Promise.resolve(this);
  }

  getAvailability(): Promise<boolean> { return Promise.resolve(this.available); }

  connect(): Promise<unknown> {
    this.log.push('connect');
    if (this.unreachable > 0) {
      this.unreachable--;
      return Promise.reject(domError('NetworkError', 'Connection attempt failed.'));
    }
    this.connected = true;
    return Promise.resolve(this);
  }

  disconnect(): void { this.drop(); }

  /** Ends the connection, from either side. */
  drop(): void {
    if (!this.connected) return;
    this.connected = false;
    this.#characteristics.clear();
    this.log.push('disconnected');
    this.dispatchEvent(new Event('gattserverdisconnected'));
  }

  getPrimaryService(of: string): Promise<ServiceLike> {
    if (!this.connected) return Promise.reject(domError('NetworkError', 'GATT Server is disconnected.'));
    const kind = kinds.get(of) ?? 'none';
    if (this.missing.has(kind)) {
      if (this.late > 0 && --this.late === 0) this.missing.delete(kind);
      return Promise.reject(domError('NotFoundError', `No Services matching UUID ${of}`));
    }
    return Promise.resolve({ getCharacteristic: (full) => this.#characteristic(full.slice(4, 8)) });
  }

  #characteristic(short: string): Promise<CharacteristicLike> {
    if (this.missing.has(short)) return Promise.reject(domError('NotFoundError'));
    const known = this.#characteristics.get(short) ?? new FakeCharacteristic(this, short);
    this.#characteristics.set(short, known);
    return Promise.resolve(known);
  }

  /** Takes its time, as a radio does, and then fails or not. */
  async answer(request: string): Promise<void> {
    if (this.#busy) throw domError('NetworkError', 'GATT operation already in progress.');
    this.#busy = true;
    await new Promise((resolve) => { setTimeout(resolve, 1); });
    this.#busy = false;
    this.log.push(request);
    const i = this.failures.findIndex((f) => f.match.test(request));
    if (i >= 0) {
      const [failure] = this.failures.splice(i, 1);
      if (failure?.drop) this.drop();
      throw failure?.error ?? new Error('none');
    }
    if (!this.connected) throw domError('NetworkError', 'GATT Server is disconnected.');
  }

  /** Sets a value and notifies it. */
  notify(short: string, ...value: number[]): void {
    if (short !== '0103' && short !== '0102') this.values.set(short, bytes(...value));
    const c = this.#characteristics.get(short);
    if (this.connected && c?.notifies) c.change(bytes(...value));
  }

  /** How often something was asked. */
  count(match: RegExp): number { return this.log.filter((line) => match.test(line)).length; }

  /** Plays the outcome of each CONNECT in turn; a function does what it likes. */
  outcomes(...each: (() => void)[]): void {
    this.onWrite = (short, value) => {
      if (short === '0005' && value[0] === 1) each.shift()?.();
      if (short === '0005' && value[0] === 2) {
        this.notify('0006', 0);
        this.drop();
      }
    };
  }

  joins(ssid = 'home', ipv4 = '192.0.2.42'): void {
    this.notify('0101', 0);
    this.notify('0006', 2);
    this.values.set('0102', utf8(JSON.stringify({ ssid, ...(ipv4 ? { ipv4 } : {}) })));
    this.notify('0006', 3);
  }

  fails(reason: number): void {
    this.notify('0101', 0);
    this.notify('0006', 2);
    this.notify('0101', reason);
    this.notify('0006', 4);
  }
}
