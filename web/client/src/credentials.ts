import type { Security } from './contract.js';
import { ssidOf } from './names.js';

/** A network's name and password. */
export interface Credentials {
  /** The network's name: 1 to 32 bytes, or text. */
  readonly ssid: Uint8Array | string;
  /**
   * 8 to 63 bytes, or 64 hexadecimal digits of a raw key; empty or left out for an open network. The library wipes its own
   * copy. A string stays in memory for as long as the browser likes; bytes of your own you can wipe when provisioning ends.
   */
  readonly password?: Uint8Array | string;
  /** `auto` if left out. */
  readonly security?: Security;
}

/** A copy, to be wiped. */
export function bytesOf(value: Uint8Array | string): Uint8Array<ArrayBuffer> {
  return typeof value === 'string' ? ssidOf(value) : Uint8Array.from(value);
}

/** Whether a network can have these, as docs/protocol.md says under CONNECT. */
export function isValid(ssid: Uint8Array, password: Uint8Array, security: Security): boolean {
  if (ssid.length < 1 || ssid.length > 32 || password.length > 64 || password.includes(0)) return false;
  if (security === 'open') return true;
  if (password.length === 64) return security !== 'wpa3' && password.every(isHexDigit);
  return password.length >= 8 || (password.length === 0 && security === 'auto');
}

const isHexDigit = (byte: number): boolean => /[0-9a-f]/i.test(String.fromCharCode(byte));
