/** Waits this many milliseconds. */
export const sleep = (ms: number): Promise<void> => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Thrown by {@link within}. */
export class TimeoutError extends Error {
  override readonly name = 'TimeoutError';
}

/** Waits for a promise, but no longer than this many milliseconds. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => { reject(new TimeoutError(`nothing within ${String(ms / 1000)} s`)); }, ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** How long things may take, in milliseconds. */
export interface Times {
  /** One attempt to connect. */
  connect: number;
  /** Coming back after a lost connection, all attempts together. */
  reconnect: number;
  /** The answer to one request. ATT gives up after 30 s. */
  answer: number;
  /** The first answer of a connection: the user may have to confirm the pairing, or type a passkey. */
  pairing: number;
  /** A gateway's attempt to join, at most: its `wifi.connect_timeout` is 5 min at most. */
  attempt: number;
  /** Silence during an attempt, after which Status is read. */
  silence: number;
  /** An address after the join: its `wifi.address_timeout`, 30 s by default, and some. */
  address: number;
  /** A scan: the gateway abandons one after 30 s. */
  scan: number;
  /** Between two looks at an attempt, where the gateway does not tell by itself: {@link CodeSession}. */
  look: number;
  /** Pauses before a request that failed is repeated: as many, and as long. */
  pauses: readonly number[];
}

/** What holds unless an option says otherwise. */
export const usualTimes: Readonly<Times> = {
  connect: 30_000,
  reconnect: 45_000,
  answer: 35_000,
  pairing: 90_000,
  attempt: 330_000,
  silence: 10_000,
  address: 60_000,
  scan: 45_000,
  look: 1000,
  pauses: [300, 700, 1500, 3000],
};
