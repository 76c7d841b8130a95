import { Attempt, type Step } from './attempt.js';
import type { BluetoothLike, DeviceLike } from './bluetooth.js';
import { control, reasonOf, securityBytes, services, statusOf, type Reason, type Security, type Status } from './contract.js';
import { bytesOf, isValid, type Credentials } from './credentials.js';
import { sendCustom } from './custom.js';
import { isCodeOnly, parseDevice, parseNetwork, parseRecords, type CurrentNetwork, type DeviceInfo, type Network } from './details.js';
import { GatewayError, nameOf } from './errors.js';
import { Inbox } from './inbox.js';
import { ConnectionLost, Link, usual, type Connection } from './link.js';
import { ssidOf } from './names.js';
import { usualTimes, type Times } from './time.js';

/** Options of {@link Gateway.request}. */
export interface RequestOptions {
  /** In place of the browser's `navigator.bluetooth`. */
  readonly bluetooth?: BluetoothLike;
  /** Only gateways whose name starts so. */
  readonly namePrefix?: string;
  /** Also gateways that are found only by what proves the code on their label; for {@link CodeSession}. */
  readonly code?: boolean;
  /** Other times than the usual ones. */
  readonly times?: Partial<Times>;
}

/** What a gateway is doing. */
export interface GatewayState {
  readonly status: Status;
  /** Why its last attempt failed, `none` if it did not; `no-address` while it is connected without an address. */
  readonly reason: Reason;
  /** The network it is on. */
  readonly network: CurrentNetwork | undefined;
}

/** A gateway that runs wifiprovd, or Zephyr's sample "Wi-Fi provisioning over BLE". */
export class Gateway {
  readonly #device: DeviceLike;
  /** @internal */
  readonly link: Link;
  readonly #times: Times;

  /**
   * @param device A device that the user has chosen; {@link Gateway.request} has one chosen.
   * @param times Other times than the usual ones.
   */
  constructor(device: DeviceLike, times: Partial<Times> = {}) {
    this.#device = device;
    this.#times = { ...usualTimes, ...times };
    this.link = new Link(device, this.#times);
  }

  /**
   * Has the user choose a gateway in the browser's chooser. To be called from a click.
   *
   * @throws GatewayError `no-bluetooth`, `bluetooth-off`, `cancelled` or `not-allowed`.
   */
  static async request(options: RequestOptions = {}): Promise<Gateway> {
    const bluetooth = options.bluetooth ?? (globalThis.navigator as { bluetooth?: BluetoothLike } | undefined)?.bluetooth;
    if (!bluetooth) throw new GatewayError('no-bluetooth', 'there is no Web Bluetooth here');
    const name = options.namePrefix === undefined ? {} : { namePrefix: options.namePrefix };
    try {
      const device = await bluetooth.requestDevice({
        filters: [services.provisioning, ...options.code ? [services.code] : []].map((service) => ({ services: [service], ...name })),
        optionalServices: [services.details, services.code],
      });
      return new Gateway(device, options.times);
    } catch (error) {
      throw await notChosen(bluetooth, error);
    }
  }

  /** The name it advertises: whatever bytes somebody in range chose. Empty if the browser tells none. */
  get name(): string { return this.#device.name ?? ''; }

  /** Whether there is a connection. Each method connects by itself if there is none. */
  get connected(): boolean { return this.link.isOpen; }

  /** Connects. The user may be asked to pair, for a passkey that the gateway shows, or for nothing. */
  async connect(): Promise<void> { await this.#open(); }

  /** Ends the connection. */
  disconnect(): void { this.link.close(); }

  /**
   * Whether the gateway wants to be proved that one knows the code on its label: {@link CodeSession}. It asks for no pairing.
   * While it does, its other methods only read, unless its maker allows more.
   */
  asksForCode(): Promise<boolean> { return this.link.offers('code-session'); }

  /**
   * Whether proving the code is the only way in: then the methods of this class that change something end in `code-needed`. It
   * asks for no pairing.
   */
  async needsCode(): Promise<boolean> {
    const about = await this.link.peek('code-version');
    return about !== undefined && isCodeOnly(about);
  }

  /** What the gateway is doing now. */
  async status(): Promise<GatewayState> {
    const reason = await this.#readReason();
    return { status: await this.#readStatus(), reason, network: await this.#readNetwork() };
  }

  /** What the gateway is; undefined if it does not tell. */
  async device(): Promise<DeviceInfo | undefined> {
    return await this.link.has('device') ? parseDevice(await this.link.read('device')) : undefined;
  }

  /** The country whose radio rules its Wi-Fi obeys: two letters, empty if it does not know one, undefined if it does not tell. */
  async country(): Promise<string | undefined> {
    return await this.link.has('country') ? new TextDecoder().decode(await this.link.read('country')) : undefined;
  }

  /**
   * Tells the gateway its country, best before {@link scan}.
   *
   * @param code Two letters of ISO 3166-1, such as `DE`.
   * @throws GatewayError `unsupported`, `code-needed`, or `rejected` if it is no country's code or the gateway's configuration
   * names another.
   */
  async setCountry(code: string): Promise<void> {
    await this.#whyRefused(this.link.write('country', ssidOf(code.toUpperCase())));
  }

  /**
   * The networks that the gateway hears, strongest first. Those that hide their name are not among them.
   *
   * @throws GatewayError `unsupported`, `code-needed`, or `scan-failed`.
   */
  async scan(): Promise<Network[]> {
    await this.link.subscribe('scan');
    const inbox = new Inbox(this.link);
    try {
      const count = await this.#awaitScan(inbox);
      const networks: Network[] = [];
      for (let page = 0; networks.length < count; page++) {
        await this.link.write('page', Uint8Array.of(page));
        const records = parseRecords(await this.link.read('page'));
        if (records.length === 0) break;
        networks.push(...records);
      }
      return networks;
    } finally {
      inbox.close();
    }
  }

  /**
   * Has the gateway join a network, and tells how that goes, step by step. The last step is `connected` or `failed`. What a
   * browser knows before the gateway does, such as a password that no network can have, is a `failed` step, too.
   *
   * Breaking out of the loop does not stop the gateway; another call replaces its attempt.
   *
   * @throws GatewayError if the gateway cannot be talked to.
   */
  async *provision(credentials: Credentials): AsyncGenerator<Step, void, undefined> {
    const ssid = bytesOf(credentials.ssid);
    const password = bytesOf(credentials.password ?? '');
    const security = credentials.security ?? 'auto';
    const attempt = new Attempt(this.link, {
      reason: () => this.#readReason(), status: () => this.#readStatus(), network: () => this.#readNetwork(),
    }, ssid, this.#times);
    try {
      if (!isValid(ssid, password, security)) {
        yield { kind: 'failed', reason: 'not-valid' };
        return;
      }
      if (!this.connected) yield { kind: 'opening' };
      await this.#open();
      yield { kind: 'sending' };
      await this.#whyRefused(this.#send(ssid, password, security, attempt));
      password.fill(0);
      yield* attempt.steps();
    } finally {
      password.fill(0);
      attempt.close();
    }
  }

  /**
   * Has the gateway forget its networks and its phones. It ends the connection of a phone that was paired. The user should
   * forget the gateway in the Bluetooth settings, too: no page can.
   */
  async erase(): Promise<void> {
    await this.#open();
    const inbox = new Inbox(this.link);
    try {
      await this.#whyRefused(this.link.write('control', Uint8Array.of(control.erase)));
      const end = Date.now() + this.#times.answer;
      while (Date.now() < end) {
        const event = await inbox.next(end - Date.now());
        if (event === 'lost') return; // it was accepted
        if (event?.from === 'status' && statusOf(event.value[0]) === 'idle') return;
      }
      if (await this.#readStatus() !== 'idle') throw new GatewayError('no-answer', 'the gateway does not erase');
    } finally {
      inbox.close();
    }
  }

  /**
   * Sends data of yours to the program on the gateway that has claimed a name, and returns its reply.
   *
   * @param name 1 to 32 of `a` to `z`, `0` to `9`, `.`, `_` and `-`.
   * @param data At most 4096 bytes, or text. If the connection ends the data is sent again: the program may get it twice.
   * @throws GatewayError `unsupported`; `no-answer` if nobody answers to that name, or not in time; `code-needed`; `rejected`.
   */
  async sendCustom(name: string, data: Uint8Array | string): Promise<Uint8Array<ArrayBuffer>> {
    const copy = bytesOf(data);
    try {
      return await this.#whyRefused(sendCustom(this.link, name, copy));
    } finally {
      copy.fill(0);
    }
  }

  /** A {@link CodeSession} may have used the connection. */
  #open(): Promise<Connection> {
    this.link.use(usual);
    return this.link.open();
  }

  async #awaitScan(inbox: Inbox): Promise<number> {
    const end = Date.now() + this.#times.scan;
    // Refused while a scan runs; its end is told all the same.
    let refused: GatewayError | undefined;
    const started = this.#whyRefused(this.link.write('scan', Uint8Array.of(1))).catch((error: unknown) => {
      if (!(error instanceof GatewayError) || error.code === 'code-needed') throw error;
      refused = error;
    });
    const hopeless = started.then(() => new Promise<never>(() => undefined)); // settles only if the scan cannot come
    hopeless.catch(() => undefined);
    while (Date.now() < end) {
      const event = await Promise.race([inbox.next(end - Date.now()), hopeless]);
      if (event === 'lost') throw new GatewayError('unreachable', 'the connection ended during the scan');
      if (event?.from !== 'scan') continue;
      const [state, count = 0] = event.value;
      if (state === 2 || state === 3) await started; // one request at a time
      if (state === 2) return count;
      if (state === 3) throw new GatewayError('scan-failed', 'the gateway could not scan');
    }
    await started;
    throw refused ?? new GatewayError('no-answer', 'the scan does not end');
  }

  /** What a write comes to. That it is refused for want of the code a browser does not tell, but the gateway does. */
  async #whyRefused<T>(write: Promise<T>): Promise<T> {
    try {
      return await write;
    } catch (error) {
      const refused = error instanceof GatewayError && error.code === 'rejected';
      if (!refused || !await this.needsCode().catch(() => false)) throw error;
      throw new GatewayError('code-needed', 'the gateway takes this only of those who have proved its code', error);
    }
  }

  /** Stages the credentials and writes CONNECT, all in one connection. */
  async #send(ssid: Uint8Array<ArrayBuffer>, password: Uint8Array<ArrayBuffer>, security: Security, attempt: Attempt): Promise<void> {
    const tries = 3;
    for (let n = 1; ; n++) {
      const connection = await this.#open();
      try {
        await this.link.write('ssid', ssid, connection);
        await this.link.write('password', password, connection);
        await this.link.write('security', Uint8Array.of(securityBytes[security]), connection);
        attempt.begin();
        await this.link.write('control', Uint8Array.of(control.connect), connection);
        return;
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        if (n === tries) throw new GatewayError('unreachable', 'the connection ends again and again', error);
      }
    }
  }

  async #readStatus(): Promise<Status> { return statusOf((await this.link.read('status'))[0]); }

  async #readReason(): Promise<Reason> {
    return await this.link.has('reason') ? reasonOf((await this.link.read('reason'))[0]) : 'none';
  }

  async #readNetwork(): Promise<CurrentNetwork | undefined> {
    return await this.link.has('network') ? parseNetwork(await this.link.read('network')) : undefined;
  }
}

async function notChosen(bluetooth: BluetoothLike, error: unknown): Promise<GatewayError> {
  if (await bluetooth.getAvailability?.().catch(() => true) === false) {
    return new GatewayError('bluetooth-off', 'there is no Bluetooth adapter that is on', error);
  }
  switch (nameOf(error)) {
    case 'NotFoundError': return new GatewayError('cancelled', 'no gateway was chosen', error);
    case 'NotSupportedError': case 'TypeError': return new GatewayError('no-bluetooth', 'Web Bluetooth does not work here', error);
    default: return new GatewayError('not-allowed', 'the browser does not allow it', error);
  }
}
