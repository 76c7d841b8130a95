/** Messages of protobuf (protobuf.dev/programming-guides/encoding), as far as Espressif's provisioning needs it. */
import { ssidOf } from './names.js';

type Value = bigint | Uint8Array<ArrayBuffer>;

/** A message as it came: what each field has held, one value after the other. Fields that nobody asks for do no harm. */
export class Message {
  readonly #fields = new Map<number, Value[]>();

  /** @throws RangeError if the bytes are no message. */
  constructor(bytes: Uint8Array) {
    for (let at = 0; at < bytes.length;) {
      let key: bigint, value: bigint | undefined;
      [key, at] = varint(bytes, at);
      const wire = Number(key & 7n), tag = Number(key >> 3n);
      let length = { 1: 8, 5: 4 }[wire] ?? 0; // fixed lengths, which no field here has
      if (wire === 0 || wire === 2) [value, at] = varint(bytes, at);
      else if (length === 0) throw new RangeError('a message that is none');
      if (wire === 2) length = Number(value);
      if (tag === 0 || at + length > bytes.length) throw new RangeError('a message that is none');
      const all = this.#fields.get(tag) ?? [];
      if (value !== undefined) all.push(wire === 2 ? bytes.slice(at, at + length) : value);
      this.#fields.set(tag, all);
      at += length;
    }
  }

  /** A number, 0 if there is none. Negative ones are of 32 bits. */
  number(tag: number): number {
    const last = this.#fields.get(tag)?.filter((value) => typeof value === 'bigint').at(-1) ?? 0n;
    return Number(BigInt.asIntN(32, last));
  }

  /** Bytes, none if there are none. */
  bytes(tag: number): Uint8Array<ArrayBuffer> { return this.all(tag).at(-1) ?? new Uint8Array(); }

  /** All bytes of a field that may come several times. */
  all(tag: number): Uint8Array<ArrayBuffer>[] {
    return (this.#fields.get(tag) ?? []).filter((value) => typeof value !== 'bigint');
  }

  /** A message within this one, an empty one if there is none. */
  message(tag: number): Message { return new Message(this.bytes(tag)); }
}

function varint(bytes: Uint8Array, from: number): [value: bigint, at: number] {
  let value = 0n;
  for (let at = from; at < Math.min(bytes.length, from + 10); at++) {
    const byte = bytes[at] ?? 0;
    value |= BigInt(byte & 0x7f) << BigInt(7 * (at - from));
    if (byte < 0x80) return [value, at + 1];
  }
  throw new RangeError('a message that is none');
}

function varintOf(n: number): number[] {
  const bytes: number[] = [];
  for (; n > 0x7f; n >>>= 7) bytes.push(n & 0x7f | 0x80);
  return [...bytes, n];
}

/** A field: a number, text, bytes, or a message. */
export type Field = readonly [tag: number, value: number | string | Uint8Array];

/** A message of these fields. A number that is 0 and bytes that are none are to be left out, unless that they are there counts. */
export function encode(...fields: readonly Field[]): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(fields.flatMap(([tag, value]) => {
    if (typeof value === 'number') return [...varintOf(tag << 3), ...varintOf(value)];
    const bytes = typeof value === 'string' ? ssidOf(value) : value;
    return [...varintOf(tag << 3 | 2), ...varintOf(bytes.length), ...bytes];
  }));
}
