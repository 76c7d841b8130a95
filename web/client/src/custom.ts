/** A maker's own data for a program on the gateway: docs/protocol.md, "Custom". */
import { GatewayError } from './errors.js';
import { ConnectionLost, type Connection, type Link } from './link.js';
import { sleep } from './time.js';

const operation = { begin: 1, piece: 2, commit: 3, page: 4 } as const;
const state = { waiting: 2, answered: 3, busy: 5 } as const;

/** At most, each way. */
const longest = 4096;
/** Of data in a write: with its offset a value of less than 512 bytes. */
const pieceLength = 480;
/** Between two looks at the answer. */
const lookAgain = 500;
/** A program has 10 s. */
const patience = 15_000;

/** Sends data, and returns the reply, which is of one connection. */
export async function sendCustom(link: Link, name: string, data: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  if (!/^[a-z0-9._-]{1,32}$/.test(name) || data.length > longest) {
    throw new GatewayError('rejected', 'no program has that name, or there is too much data');
  }
  if (!await link.has('custom')) throw new GatewayError('unsupported', 'the gateway does not carry data of others');
  const tries = 3;
  for (let n = 1; ; n++) {
    try {
      return await exchange(link, await link.open(), name, data);
    } catch (error) {
      if (!(error instanceof ConnectionLost)) throw error;
      if (n === tries) throw new GatewayError('unreachable', 'the connection ends again and again', error);
    }
  }
}

async function exchange(link: Link, connection: Connection, name: string, data: Uint8Array<ArrayBuffer>): Promise<Uint8Array<ArrayBuffer>> {
  const write = (...parts: readonly (Uint8Array | number[])[]): Promise<void> =>
    link.write('custom', Uint8Array.from(parts.flatMap((part) => [...part])), connection);
  await write([operation.begin, ...twoBytes(data.length)], await hash(data), new TextEncoder().encode(name));
  for (let at = 0; at < data.length; at += pieceLength) {
    await write([operation.piece, ...twoBytes(at)], data.subarray(at, at + pieceLength));
  }
  await write([operation.commit]);
  const header = await answer(link);
  const reply = new Uint8Array((header[1] ?? 0) + 256 * (header[2] ?? 0));
  for (let at = 0; at < reply.length;) {
    await write([operation.page, ...twoBytes(at)]);
    const page = (await link.read('custom')).subarray(0, reply.length - at);
    if (page.length === 0) break;
    reply.set(page, at);
    at += page.length;
  }
  const sum = await hash(reply);
  if (!sum.every((byte, i) => byte === header[3 + i])) throw new GatewayError('no-answer', 'the reply is damaged');
  return reply;
}

/** Waits until the program has answered. */
async function answer(link: Link): Promise<Uint8Array> {
  const end = Date.now() + patience;
  let header = await link.read('custom');
  while (header[0] === state.waiting && Date.now() < end) {
    await sleep(lookAgain);
    header = await link.read('custom');
  }
  switch (header[0]) {
    case state.answered: return header;
    case state.busy: throw new GatewayError('no-answer', 'the program is busy with another phone');
    default: throw new GatewayError('no-answer', 'nobody answers');
  }
}

const twoBytes = (n: number): number[] => [n & 0xff, n >> 8];

async function hash(data: Uint8Array<ArrayBuffer>): Promise<Uint8Array> {
  return new Uint8Array(await crypto.subtle.digest('SHA-256', data));
}
