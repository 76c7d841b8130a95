/** What the details service tells: networks in range, the gateway's network, and what the gateway is. */
import { securityBytes, unjoinable, type Security } from './contract.js';
import { displayName, ssidOf } from './names.js';

/** A network that the gateway hears. */
export interface Network {
  /** Its name: any 1 to 32 bytes. */
  readonly ssid: Uint8Array<ArrayBuffer>;
  /** Its name as text that is safe to show. */
  readonly name: string;
  /** Signal strength in dBm: -40 is strong, -85 is weak. */
  readonly signal: number;
  /** What to hand to {@link Gateway.provision}; undefined: no password gets in. */
  readonly security: Security | undefined;
  /** Whether it wants a password. */
  readonly locked: boolean;
  /** Whether the gateway is on it. */
  readonly current: boolean;
  /** Whether several access points share the name. */
  readonly several: boolean;
}

/** The network that the gateway is on. More members may come with later versions. */
export interface CurrentNetwork {
  readonly ssid: Uint8Array<ArrayBuffer>;
  readonly name: string;
  /** The access point's address, `02:00:00:00:01:00`. */
  readonly bssid?: string;
  /** Its channel's frequency in MHz. */
  readonly frequency?: number;
  /** Its signal strength in dBm. */
  readonly signal?: number;
  /** Its key management, such as `WPA2-PSK` or `SAE`. */
  readonly security?: string;
  /** The gateway's addresses in this network, while it has them. */
  readonly ipv4?: string;
  readonly ipv6?: string;
  /** The router's address. */
  readonly router?: string;
}

/** What a gateway says it is. */
export interface DeviceInfo {
  readonly name?: string;
  readonly model?: string;
  readonly serial?: string;
  /** Of wifiprovd. */
  readonly version?: string;
  /** `none`, `encrypt` or `authenticated`. */
  readonly security?: string;
}

function securityOf(byte: number): Security | undefined {
  if (byte === unjoinable) return undefined;
  const known = Object.entries(securityBytes).find(([, value]) => value === byte);
  return known ? known[0] as Security : 'auto';
}

/** Whether what the gateway's code service says of itself has in it that phones get in by that alone (docs/protocol.md). */
export function isCodeOnly(about: Uint8Array): boolean {
  try {
    const { wifiprovd } = JSON.parse(new TextDecoder().decode(about)) as { wifiprovd?: { cap?: unknown } };
    return Array.isArray(wifiprovd?.cap) && wifiprovd.cap.includes('code_only');
  } catch { // another maker's device
    return false;
  }
}

/**
 * The networks of a scan's page.
 *
 * @param page The value of Scan page.
 * @throws RangeError if it is not a sequence of whole records.
 */
export function parseRecords(page: Uint8Array): Network[] {
  const networks: Network[] = [];
  for (let at = 0; at < page.length;) {
    const [signal = 0, security = 0, flags = 0, length = 0] = page.subarray(at, at + 4);
    const ssid = page.slice(at + 4, at + 4 + length);
    if (length < 1 || length > 32 || ssid.length < length) throw new RangeError('a scan record that is none');
    networks.push({
      ssid,
      name: displayName(ssid),
      signal: signal << 24 >> 24,
      security: securityOf(security),
      locked: security !== securityBytes.open,
      current: (flags & 1) !== 0,
      several: (flags & 2) !== 0,
    });
    at += 4 + length;
  }
  return networks;
}

type Members = Readonly<Record<string, unknown>>;

function parseObject(value: Uint8Array): Members {
  const parsed: unknown = JSON.parse(new TextDecoder().decode(value));
  return typeof parsed === 'object' && parsed !== null ? parsed as Members : {};
}

/** The members of these names that have this type; others are left out. */
function pick<K extends string>(from: Members, type: 'string' | 'number', names: Record<K, string>): Partial<Record<K, never>> {
  const picked: Record<string, unknown> = {};
  for (const [to, name] of Object.entries<string>(names)) {
    if (typeof from[name] === type) picked[to] = from[name];
  }
  return picked as Partial<Record<K, never>>;
}

function ssidIn(members: Members): Uint8Array<ArrayBuffer> | undefined {
  if (typeof members['ssid'] === 'string') return ssidOf(members['ssid']);
  if (typeof members['ssid_hex'] !== 'string') return undefined;
  return Uint8Array.from(members['ssid_hex'].match(/../g) ?? [], (digits) => parseInt(digits, 16));
}

/** The gateway's network, from the value of Network; undefined: it is on none. */
export function parseNetwork(value: Uint8Array): CurrentNetwork | undefined {
  const members = parseObject(value);
  const ssid = ssidIn(members);
  if (!ssid) return undefined;
  return {
    ssid,
    name: displayName(ssid),
    ...pick(members, 'string', { bssid: 'bssid', security: 'security', ipv4: 'ipv4', ipv6: 'ipv6', router: 'gateway' }),
    ...pick(members, 'number', { frequency: 'frequency_mhz', signal: 'signal_dbm' }),
  };
}

/** What the gateway is, from the value of Device. */
export function parseDevice(value: Uint8Array): DeviceInfo {
  const names = { name: 'name', model: 'model', serial: 'serial', version: 'version', security: 'security' };
  return pick(parseObject(value), 'string', names);
}
