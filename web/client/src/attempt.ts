import { sameName } from './names.js';
import { statusOf, reasonOf, type Reason, type Status } from './contract.js';
import type { CurrentNetwork } from './details.js';
import { Inbox } from './inbox.js';
import type { Link, LinkEvent } from './link.js';
import type { Times } from './time.js';

/**
 * A step of provisioning.
 *
 * - `opening`: connecting to the gateway; the user may be asked to pair.
 * - `sending`: the network's name and password go to the gateway.
 * - `joining`: the gateway tries to join the network.
 * - `joined`: it is on the network, and waits for an address.
 * - `reopening`: the Bluetooth connection was lost; the gateway goes on meanwhile.
 * - `connected`: the end. The gateway is on the network; what it tells about it, if it has the details service.
 * - `failed`: the end. The reason is for {@link explain}. A network that the gateway knew before, it goes back to.
 */
export type Step =
  | { readonly kind: 'opening' | 'sending' | 'joining' | 'joined' | 'reopening' }
  | { readonly kind: 'connected'; readonly network: CurrentNetwork | undefined }
  | { readonly kind: 'failed'; readonly reason: Reason };

type End = Extract<Step, { kind: 'connected' | 'failed' }>;

/** What the attempt asks the gateway. */
export interface Asked {
  reason(): Promise<Reason>;
  status(): Promise<Status>;
  network(): Promise<CurrentNetwork | undefined>;
}

/** Follows one attempt of the gateway's, from an accepted CONNECT to its end. */
export class Attempt {
  readonly #inbox: Inbox;
  #phase: 'sent' | 'joining' | 'joined' = 'sent';
  #reason: Reason = 'none';

  constructor(readonly link: Link, readonly ask: Asked, readonly ssid: Uint8Array, readonly times: Times) {
    this.#inbox = new Inbox(link);
  }

  /** To be called right before CONNECT is written: what came before it is not about this attempt. */
  begin(): void { this.#inbox.clear(); }

  close(): void { this.#inbox.close(); }

  /** The steps from here on; the last one is `connected` or `failed`. */
  async *steps(): AsyncGenerator<Step, void, undefined> {
    const end = Date.now() + this.times.attempt;
    while (Date.now() < end) {
      const event = await this.#inbox.next(Math.min(this.times.silence, end - Date.now()));
      let step: Step | undefined;
      if (event === 'lost') {
        yield { kind: 'reopening' };
        await this.link.open();
        step = await this.#look();
      } else {
        step = event ? this.#take(event) : await this.#look();
      }
      if (step) yield step;
      if (step?.kind === 'connected' || step?.kind === 'failed') return;
      if (step?.kind === 'joined') {
        const last = await this.#awaitAddress();
        if (last) {
          yield last;
          return;
        }
      }
    }
    yield { kind: 'failed', reason: 'timed-out' };
  }

  /** What a notification means. */
  #take(event: Exclude<LinkEvent, 'lost'>): Step | undefined {
    if (event.from === 'reason') this.#reason = reasonOf(event.value[0]);
    if (event.from !== 'status') return undefined;
    const status = statusOf(event.value[0]);
    if (this.#phase === 'sent' && status !== 'connecting' && !(status === 'failed' && this.#reason === 'not-valid')) {
      return undefined; // of an attempt before this one
    }
    return this.#is(status);
  }

  /** What the gateway's own words mean, after silence or a lost connection. */
  async #look(): Promise<Step | undefined> {
    this.#reason = await this.ask.reason();
    const status = await this.ask.status();
    if (status === 'connected') {
      const network = await this.ask.network();
      if (network && !sameName(network.ssid, this.ssid)) return this.#failed(); // it went back to the one before
    }
    return this.#is(status);
  }

  #is(status: Status): Step | undefined {
    switch (status) {
      case 'connecting': return this.#enter('joining');
      case 'connected': return this.#enter('joined');
      case 'failed': return this.#failed();
      case 'provisioned': // between two tries, or the link was lost at once
        return this.#reason === 'none' ? this.#enter('joining') : this.#failed();
      case 'idle': return this.#phase === 'sent' ? undefined : this.#failed(); // another phone has erased it
      default: return undefined;
    }
  }

  #enter(phase: 'joining' | 'joined'): Step | undefined {
    if (this.#phase === phase) return undefined;
    this.#phase = phase;
    return { kind: phase };
  }

  #failed(): End {
    return { kind: 'failed', reason: this.#reason === 'none' ? 'unknown' : this.#reason };
  }

  /** Waits for an address; undefined: the network was lost meanwhile. */
  async #awaitAddress(): Promise<End | undefined> {
    const end = Date.now() + this.times.address;
    while (Date.now() < end) {
      const network = await this.ask.network();
      if (!await this.link.has('network') || network?.ipv4 || network?.ipv6) return { kind: 'connected', network };
      const news = await this.#awaitNews(Math.min(end, Date.now() + betweenReads));
      if (this.#reason === 'no-address') return this.#failed();
      if (news) return news.kind === 'failed' ? news : undefined;
    }
    return { kind: 'failed', reason: 'no-address' };
  }

  /** Waits until Network is worth another read, or until the attempt takes a turn. */
  async #awaitNews(end: number): Promise<Step | undefined> {
    while (Date.now() < end) {
      const event = await this.#inbox.next(end - Date.now());
      if (!event || event === 'lost' || isNews(event)) return undefined; // a read connects again
      const step = this.#take(event);
      if (step || this.#reason === 'no-address') return step;
    }
    return undefined;
  }
}

// A gateway looks for a better access point and its signal at each read, but once a second at most.
const betweenReads = 2000;

/** Whether Network was notified, which tells its new length. Browsers tell of a value that was read in the same way. */
function isNews(event: Exclude<LinkEvent, 'lost'>): boolean {
  const maxLength = 512;
  const [low = 0, high = 0] = event.value;
  return event.from === 'network' && event.value.length === 2 && (low | high << 8) <= maxLength;
}
