/** A gateway with a code on its label: Espressif's provisioning, Security 2 (docs/protocol.md of wifiprovd). */
import type { Step } from './attempt.js';
import { reasonOf } from './contract.js';
import { bytesOf, isValid, type Credentials } from './credentials.js';
import type { Network } from './details.js';
import { GatewayError } from './errors.js';
import type { Gateway, GatewayState } from './gateway.js';
import { ConnectionLost, type Connection, type Link, type Way } from './link.js';
import { sameName } from './names.js';
import * as protocomm from './protocomm.js';
import { SrpClient, type Agreed } from './srp.js';
import { sleep, type Times } from './time.js';

type Bytes = Uint8Array<ArrayBuffer>;

/** The read that shows that a connection works asks for no pairing. */
const way: Way = { first: 'code-version', heard: [] };

/** How often a session is begun anew before a request is given up. */
const tries = 3;

/** Options of {@link CodeSession.prove}. */
export interface CodeOptions {
  /** The user's name on the label: `wifiprov` unless the maker has chosen another one. */
  readonly user?: string;
}

/**
 * The code that a person means: one as `wifiprovctl code new` makes it, 12 characters, may be typed in small letters, with
 * spaces and dashes. Any other one is taken as it is, but for spaces around it.
 */
export function codeOf(typed: string): string {
  const plain = typed.replace(/[\s\-‐-―]/g, '').toUpperCase();
  return /^[2-9A-HJKMNP-Z]{12}$/.test(plain) ? plain : typed.trim();
}

/** What the gateway is asked in one connection that has proved the code. */
interface Session { readonly connection: Connection; readonly cipher: protocomm.Cipher }

/**
 * A gateway to which one has proved that one knows the code on its label, and which has proved the same. What goes over the
 * air is sealed; nobody pairs. If the connection ends, the code is proved again.
 *
 * ```ts
 * const gateway = await Gateway.request({ code: true });
 * const door = await gateway.asksForCode() ? await CodeSession.prove(gateway, codeOf(typed)) : gateway;
 * const networks = await door.scan();
 * ```
 */
export class CodeSession {
  readonly #link: Link;
  readonly #times: Readonly<Times>;
  readonly #code: Bytes;
  readonly #user: string;
  #session: Session | undefined;

  private constructor(gateway: Gateway, code: string, user: string) {
    this.#link = gateway.link;
    this.#times = gateway.link.times;
    this.#code = bytesOf(code);
    this.#user = user;
  }

  /**
   * Proves the code. It is kept in the session, and never sent.
   *
   * @param code As it is on the label; {@link codeOf} makes it of what a person types.
   * @throws GatewayError `wrong-code`, `code-locked` or `impostor`, or if the gateway cannot be talked to.
   */
  static async prove(gateway: Gateway, code: string, options: CodeOptions = {}): Promise<CodeSession> {
    const session = new CodeSession(gateway, code, options.user ?? 'wifiprov');
    await session.#prove();
    return session;
  }

  /** What the gateway is doing now. */
  async status(): Promise<GatewayState> {
    const { state, reason, network } = await this.#again(() => this.#station());
    const status = ({ joined: 'connected', joining: 'connecting', disconnected: 'idle', failed: 'failed' } as const)[state];
    return { status, reason, network };
  }

  /**
   * The networks that the gateway hears, strongest first, 20 at most. Which of them it is on it does not tell here.
   *
   * @throws GatewayError `scan-failed`.
   */
  scan(): Promise<Network[]> {
    return this.#again(async () => {
      if (!protocomm.scanSucceeded(await this.#ask('code-scan', protocomm.requests.scan()))) {
        throw new GatewayError('scan-failed', 'the gateway could not scan');
      }
      const total = protocomm.parseScanned(await this.#ask('code-scan', protocomm.requests.scanned()));
      const networks: Network[] = [];
      while (networks.length < total) {
        const page = protocomm.parsePage(await this.#ask('code-scan', protocomm.requests.page(networks.length)));
        if (page.length === 0) break;
        networks.push(...page);
      }
      return networks;
    });
  }

  /**
   * Has the gateway join a network, and tells how that goes, as {@link Gateway.provision} does, but for the step `joined`. An
   * attempt whose connection is lost is begun anew. The gateway finds out about the security itself.
   *
   * @throws GatewayError if the gateway cannot be talked to.
   */
  async *provision(credentials: Credentials): AsyncGenerator<Step, void, undefined> {
    const ssid = bytesOf(credentials.ssid), password = bytesOf(credentials.password ?? '');
    try {
      if (!isValid(ssid, password, credentials.security ?? 'auto')) {
        yield { kind: 'failed', reason: 'not-valid' };
        return;
      }
      if (!this.#link.isOpen) yield { kind: 'opening' };
      yield { kind: 'sending' };
      if (!await this.#send(ssid, password)) {
        yield { kind: 'failed', reason: 'not-valid' };
        return;
      }
      yield { kind: 'joining' };
      yield* this.#follow(ssid, password);
    } finally {
      password.fill(0);
    }
  }

  /** Stages the credentials, and has the gateway take them. false: no network can have them. */
  #send(ssid: Bytes, password: Bytes): Promise<boolean> {
    return this.#again(async () => {
      const request = protocomm.requests.set(ssid, password);
      try {
        for (const step of [request, protocomm.requests.apply()]) {
          const result = protocomm.parseResult(await this.#ask('code-config', step));
          if (result === protocomm.result.invalidArgument) return false;
          if (result !== protocomm.result.success) throw new GatewayError('rejected', 'the gateway is busy with another phone');
        }
        return true;
      } finally {
        request.fill(0);
      }
    });
  }

  /** The steps from here on. */
  async *#follow(ssid: Bytes, password: Bytes): AsyncGenerator<Step, void, undefined> {
    const end = Date.now() + this.#times.attempt;
    while (Date.now() < end) {
      await sleep(this.#times.look);
      let station: protocomm.Station;
      try {
        station = await this.#station();
      } catch (error) {
        if (!isOver(error)) throw error;
        yield { kind: 'reopening' };
        station = await this.#again(() => this.#station());
        const there = station.state === 'joined' && station.network && sameName(station.network.ssid, ssid);
        if (!there) { // this session has no attempt yet
          await this.#send(ssid, password);
          continue;
        }
      }
      if (station.state === 'joined') yield { kind: 'connected', network: station.network };
      if (station.state === 'failed') yield { kind: 'failed', reason: station.reason };
      if (station.state === 'joined' || station.state === 'failed') return;
    }
    yield { kind: 'failed', reason: 'timed-out' };
  }

  async #station(): Promise<protocomm.Station> {
    return protocomm.parseStation(await this.#ask('code-config', protocomm.requests.status()), reasonOf);
  }

  /** Sends a request, sealed, and returns the answer. What goes wrong on the way ends the session: both sides count. */
  async #ask(name: 'code-scan' | 'code-config', plain: Bytes): Promise<Bytes> {
    const session = this.#session;
    this.#session = undefined;
    if (!session) throw new SessionOver();
    const answer = await this.#link.exchange(name, await session.cipher.seal(plain), session.connection);
    const opened = await session.cipher.open(answer).catch((error: unknown) => { throw new SessionOver('', { cause: error }); });
    this.#session = session;
    return opened;
  }

  /** Does what needs a session; if that ends, in another one. */
  async #again<T>(work: () => Promise<T>): Promise<T> {
    for (let n = 1; ; n++) {
      try {
        if (!this.#session) await this.#prove();
        return await work();
      } catch (error) {
        if (!isOver(error)) throw error;
        if (n === tries) throw new GatewayError('session-lost', 'the session ends again and again', error);
        this.#session = undefined;
      }
    }
  }

  async #prove(): Promise<void> {
    this.#link.use(way);
    for (let n = 1; ; n++) {
      const connection = await this.#link.open();
      try {
        this.#session = { connection, cipher: await this.#handshake(connection) };
        return;
      } catch (error) {
        if (!(error instanceof ConnectionLost)) throw error;
        if (n === tries) throw new GatewayError('unreachable', 'the connection ends again and again', error);
      }
    }
  }

  async #handshake(connection: Connection): Promise<protocomm.Cipher> {
    const client = new SrpClient(this.#user);
    let agreed: Agreed;
    try {
      const [key, salt] = protocomm.parseHandshake(await this.#greet(protocomm.hello(this.#user, client.public), connection), 1);
      agreed = await client.agree(this.#code, salt, key);
    } catch (error) {
      throw error instanceof RangeError ? new GatewayError('impostor', 'what answers does not speak the protocol', error) : error;
    }
    const answer = await this.#link.exchange('code-session', protocomm.proof(agreed.client), connection)
      .catch((error: unknown) => { throw isRefusal(error) ? new GatewayError('wrong-code', 'the gateway does not take the code', error) : error; });
    try {
      const [proof, nonce] = protocomm.parseHandshake(answer, 3);
      if (!sameName(proof, agreed.server)) throw new RangeError('a proof that is wrong');
      return await protocomm.Cipher.of(agreed.key, nonce);
    } catch (error) {
      throw new GatewayError('impostor', 'what answers does not know the code', error);
    } finally {
      agreed.key.fill(0);
    }
  }

  /** Begins a handshake. It may be refused for moments: twice a second is too often, and after wrong codes everybody waits. */
  async #greet(hello: Bytes, connection: Connection): Promise<Bytes> {
    for (const pause of [...this.#times.pauses, undefined]) {
      try {
        return await this.#link.exchange('code-session', hello, connection);
      } catch (error) {
        if (!isRefusal(error)) throw error;
        if (pause === undefined) throw new GatewayError('code-locked', 'the gateway takes no code now', error);
        await sleep(pause);
      }
    }
    throw new GatewayError('code-locked', 'no attempt was made');
  }
}

/** Thrown where a session has ended, or both sides do not agree any more. */
class SessionOver extends Error {
  override readonly name = 'SessionOver';
}

const isRefusal = (error: unknown): boolean => error instanceof GatewayError && error.code === 'rejected' && error.cause !== undefined;

/** Whether another session helps. A gateway refuses what it cannot open: sessions end after five minutes without a request. */
const isOver = (error: unknown): boolean => error instanceof ConnectionLost || error instanceof SessionOver || isRefusal(error);
