import type { CharacteristicLike, DeviceLike, ServerLike } from './bluetooth.js';
import { characteristics, type CharacteristicName } from './contract.js';
import { GatewayError, nameOf } from './errors.js';
import { sleep, within, type Times } from './time.js';

/** What a link tells: a value that was notified or read, or that the connection has ended. */
export type LinkEvent = { readonly from: CharacteristicName; readonly value: Uint8Array } | 'lost';

/** Thrown where a device seems to have no provisioning service. It was chosen because it advertises one, so that may pass. */
class NoService extends Error {
  override readonly name = 'NoService';
}

/** Thrown where a request belongs to a connection that has ended: what was staged in it is gone. */
export class ConnectionLost extends Error {
  override readonly name = 'ConnectionLost';
}

/** A connection of one link; another one after a reconnect. */
export type Connection = number;

/** How a new connection is made ready: what is read first, which shows that it works, and what is subscribed to. */
export interface Way { readonly first: CharacteristicName; readonly heard: readonly CharacteristicName[] }

/** The read of Status is the request that asks for pairing. */
export const usual: Way = { first: 'status', heard: ['network', 'reason', 'status'] };

/**
 * A connection to a gateway that comes back when it is lost, and that does one request at a time, as browsers demand.
 *
 * Requests are repeated: a browser tells no ATT error codes, and what it does tell may pass. Right after pairing a gateway
 * answers 0x0E for 0.2 s; on Android the request that asks for pairing fails, and succeeds once the user has confirmed it;
 * after pairing Chromium may have forgotten the characteristics (NotFoundError, InvalidStateError).
 */
export class Link {
  readonly #device: DeviceLike;
  /** As they hold. */
  readonly times: Readonly<Times>;
  readonly #listeners = new Set<(event: LinkEvent) => void>();
  readonly #subscribed = new Set<CharacteristicName>();
  readonly #found = new Map<CharacteristicName, CharacteristicLike | undefined>();
  readonly #heard = new WeakSet<CharacteristicLike>();
  #queue: Promise<unknown> = Promise.resolve();
  #open = false;
  #connection: Connection = 0;
  #way = usual;

  constructor(device: DeviceLike, times: Times) {
    this.#device = device;
    this.times = times;
    device.addEventListener('gattserverdisconnected', () => { this.#lose(); });
  }

  /** Whether requests can be made without connecting first. */
  get isOpen(): boolean { return this.#open && this.#server.connected; }

  get #server(): ServerLike {
    if (!this.#device.gatt) throw new GatewayError('not-a-gateway', 'the device has no GATT server');
    return this.#device.gatt;
  }

  /** Has a function called with each event, until what it returns is called. */
  listen(listener: (event: LinkEvent) => void): () => void {
    this.#listeners.add(listener);
    return () => { this.#listeners.delete(listener); };
  }

  /** Connects, unless it is connected, and pairs if the gateway asks for it. */
  open(): Promise<Connection> {
    return this.#alone(() => this.#connect());
  }

  /** Makes connections ready in another way, this one, too. */
  use(way: Way): void {
    if (this.#way !== way) this.#open = false;
    this.#way = way;
  }

  /** Whether the gateway has a characteristic, found out without reading anything, and so without pairing. */
  offers(name: CharacteristicName): Promise<boolean> {
    return this.#look(name, (c) => Promise.resolve(c !== undefined), 3);
  }

  /** Reads a value that asks for no pairing, before or after a connection is made ready; undefined: the gateway does not have it. */
  peek(name: CharacteristicName): Promise<Uint8Array | undefined> {
    return this.#look(name, async (c) => c && bytesOf(await within(this.times.answer, c.readValue())));
  }

  /** Ends the connection. The next request opens it again. */
  close(): void {
    this.#device.gatt?.disconnect();
    this.#lose();
  }

  /** Whether the gateway has a characteristic. */
  has(name: CharacteristicName): Promise<boolean> {
    return this.#alone(() => this.#persist(async () => {
      await this.#connect();
      return await this.#find(name) !== undefined;
    }));
  }

  /** Reads a value. */
  read(name: CharacteristicName): Promise<Uint8Array> {
    return this.#request(name, async (c) => bytesOf(await c.readValue()));
  }

  /**
   * Writes a value.
   *
   * @param connection The write belongs to this connection: in another one it would come without what was staged before it.
   * @throws ConnectionLost if that connection has ended.
   */
  write(name: CharacteristicName, value: Uint8Array<ArrayBuffer>, connection?: Connection): Promise<void> {
    return this.#request(name, (c) => c.writeValueWithResponse(value), connection);
  }

  /**
   * Writes a request, and reads the answer to it; once, for requests that must not be repeated.
   *
   * @throws ConnectionLost if that connection has ended; GatewayError `rejected` if the gateway refuses it.
   */
  exchange(name: CharacteristicName, value: Uint8Array<ArrayBuffer>, connection: Connection): Promise<Uint8Array<ArrayBuffer>> {
    return this.#alone(async () => {
      if (!this.isOpen || connection !== this.#connection) throw new ConnectionLost();
      try {
        const characteristic = await this.#find(name);
        if (!characteristic) throw new GatewayError('unsupported', `the gateway has no characteristic ${name}`);
        await within(this.times.answer, characteristic.writeValueWithResponse(value));
        return bytesOf(await within(this.times.answer, characteristic.readValue()));
      } catch (error) {
        if (isStale(error)) this.#open = false;
        if (!this.#open || !this.#server.connected) throw new ConnectionLost();
        throw error instanceof GatewayError ? error : asGatewayError(error);
      }
    });
  }

  /** Subscribes to a characteristic, in this connection and those after it. */
  async subscribe(name: CharacteristicName): Promise<void> {
    if (this.#subscribed.has(name)) return;
    await this.#request(name, (c) => this.#startNotifications(name, c));
    this.#subscribed.add(name);
  }

  /** Does something with a characteristic, of a connection that may not be ready. */
  #look<T>(name: CharacteristicName, action: (c: CharacteristicLike | undefined) => Promise<T>, looks?: number): Promise<T> {
    return this.#alone(() => this.#persist(async () => {
      if (!this.isOpen) this.#found.clear();
      await this.#connectServer();
      return action(await this.#find(name, looks));
    }));
  }

  #lose(): void {
    if (!this.#open) return;
    this.#open = false;
    this.#found.clear();
    this.#tell('lost');
  }

  #tell(event: LinkEvent): void {
    for (const listener of [...this.#listeners]) listener(event);
  }

  #alone<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#queue.then(work);
    this.#queue = done.catch(() => undefined);
    return done;
  }

  #request<T>(name: CharacteristicName, action: (c: CharacteristicLike) => Promise<T>, connection?: Connection): Promise<T> {
    return this.#alone(() => this.#persist(async () => {
      const current = await this.#connect();
      if (connection !== undefined && connection !== current) throw new ConnectionLost();
      const characteristic = await this.#find(name);
      if (!characteristic) throw new GatewayError('unsupported', `the gateway has no characteristic ${name}`);
      return within(this.times.answer, action(characteristic));
    }));
  }

  /** Does what may fail for a while, again and again. */
  async #persist<T>(step: () => Promise<T>): Promise<T> {
    for (const pause of [...this.times.pauses, undefined]) {
      try {
        return await step();
      } catch (error) {
        if (error instanceof GatewayError || error instanceof ConnectionLost) throw error;
        if (pause === undefined) throw asGatewayError(error);
        if (isStale(error)) this.#open = false; // so that everything is found and subscribed to again
        await sleep(pause);
      }
    }
    throw new GatewayError('rejected', 'no attempt was made');
  }

  async #connect(): Promise<Connection> {
    if (this.isOpen) return this.#connection;
    this.#open = false;
    this.#found.clear();
    const end = Date.now() + this.times.pairing;
    const maxDrops = this.times.pauses.length + 1; // a gateway that has lost its bond ends each connection when encryption starts
    for (let drops = 0, failures = 0; ; failures++) {
      await this.#connectServer();
      try {
        await this.#setUp(end);
        this.#open = true;
        return ++this.#connection;
      } catch (error) {
        if (error instanceof GatewayError) throw error;
        if (error instanceof NoService && failures >= this.times.pauses.length) {
          throw new GatewayError('not-a-gateway', 'the device has no provisioning service', error);
        }
        if (error instanceof NoService) this.#server.disconnect(); // a browser may have kept a picture of the device that is out of date
        else if (!this.#server.connected) drops++;
        if (drops === maxDrops || Date.now() > end) {
          throw new GatewayError('pairing', 'the gateway does not answer before or after pairing', error);
        }
        this.#found.clear();
        await sleep(this.#pause(failures));
      }
    }
  }

  #pause(failures: number): number {
    return this.times.pauses[failures] ?? this.times.pauses.at(-1) ?? 0;
  }

  async #connectServer(): Promise<void> {
    const end = Date.now() + this.times.reconnect;
    for (let failures = 0; !this.#server.connected; failures++) {
      try {
        await within(this.times.connect, this.#server.connect());
      } catch (error) {
        this.#server.disconnect(); // ends an attempt that goes on
        if (nameOf(error) === 'SecurityError') throw asGatewayError(error);
        if (Date.now() > end) throw new GatewayError('unreachable', 'the gateway cannot be connected to', error);
        await sleep(this.#pause(failures));
      }
    }
  }

  /** Makes a new connection ready. */
  async #setUp(end: number): Promise<void> {
    const first = await this.#find(this.#way.first);
    if (!first) throw new NoService();
    await within(Math.max(end - Date.now(), 1), first.readValue());
    for (const name of new Set([...this.#way.heard, ...this.#way === usual ? this.#subscribed : []])) {
      const characteristic = await this.#find(name);
      if (characteristic) await within(this.times.answer, this.#startNotifications(name, characteristic));
    }
  }

  async #startNotifications(name: CharacteristicName, characteristic: CharacteristicLike): Promise<void> {
    if (!this.#heard.has(characteristic)) {
      this.#heard.add(characteristic);
      characteristic.addEventListener('characteristicvaluechanged', () => {
        if (characteristic.value) this.#tell({ from: name, value: bytesOf(characteristic.value) });
      });
    }
    await characteristic.startNotifications();
  }

  /**
   * Finds a characteristic; undefined: there is none. That it is missing counts only if it is missing in several looks: a browser
   * may know one service before the next.
   */
  async #find(name: CharacteristicName, looks = 2): Promise<CharacteristicLike | undefined> {
    if (this.#found.has(name)) return this.#found.get(name);
    let characteristic = await this.#lookUp(name);
    for (let look = 1; !characteristic && look < looks; look++) {
      await sleep(this.#pause(look - 1));
      characteristic = await this.#lookUp(name);
    }
    this.#found.set(name, characteristic);
    return characteristic;
  }

  async #lookUp(name: CharacteristicName): Promise<CharacteristicLike | undefined> {
    const { service, uuid } = characteristics[name];
    try {
      return await within(this.times.answer,
        this.#server.getPrimaryService(service).then((found) => found.getCharacteristic(uuid)));
    } catch (error) {
      if (nameOf(error) === 'NotFoundError' && this.#server.connected) return undefined;
      throw error;
    }
  }
}

function bytesOf(view: DataView): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(new Uint8Array(view.buffer, view.byteOffset, view.byteLength));
}

function isStale(error: unknown): boolean {
  return nameOf(error) === 'NotFoundError' || nameOf(error) === 'InvalidStateError';
}

function asGatewayError(error: unknown): GatewayError {
  switch (nameOf(error)) {
    case 'SecurityError': return new GatewayError('not-allowed', 'the browser does not allow it', error);
    case 'TimeoutError': return new GatewayError('no-answer', 'the gateway does not answer', error);
    default: return new GatewayError('rejected', 'the gateway refuses a request, again and again', error);
  }
}
