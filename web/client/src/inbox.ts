import type { Link, LinkEvent } from './link.js';
import { TimeoutError, within } from './time.js';

/** Events of a link in the order in which they came, until it is closed. */
export class Inbox {
  readonly #events: LinkEvent[] = [];
  readonly #end: () => void;
  #wake: (() => void) | undefined;

  constructor(link: Link) {
    this.#end = link.listen((event) => {
      this.#events.push(event);
      this.#wake?.();
    });
  }

  /** The next event; undefined: none within this many milliseconds. */
  async next(ms: number): Promise<LinkEvent | undefined> {
    if (this.#events.length === 0) {
      const woken = new Promise<void>((resolve) => { this.#wake = resolve; });
      await within(Math.max(ms, 1), woken).catch((error: unknown) => {
        if (!(error instanceof TimeoutError)) throw error;
      });
    }
    return this.#events.shift();
  }

  /** Drops the events that came so far. */
  clear(): void { this.#events.length = 0; }

  close(): void { this.#end(); }
}
