/** The GATT contract: docs/protocol.md of wifiprovd. */

const uuid = (short: string): string => `8b84${short}-f6fa-4e33-9a0c-e14d9f35f201`;

/** The services, by which a gateway is found. */
export const services = /* @__PURE__ */ Object.freeze({
  provisioning: /* @__PURE__ */ uuid('0001'),
  details: /* @__PURE__ */ uuid('0100'),
  /** Espressif's, of a gateway with a code on its label. */
  code: '021a9004-0382-4aea-bff4-6b3f1c5adfb4',
});

/** A characteristic's name here. */
export type CharacteristicName =
  | 'ssid' | 'password' | 'security' | 'control' | 'status'
  | 'reason' | 'network' | 'scan' | 'page' | 'device' | 'country' | 'custom'
  | 'code-scan' | 'code-session' | 'code-config' | 'code-version';

interface Place { readonly service: string; readonly uuid: string }

const provisioning = (short: string): Place => ({ service: services.provisioning, uuid: uuid(short) });
const details = (short: string): Place => ({ service: services.details, uuid: uuid(short) });
const code = (short: string): Place => ({ service: services.code, uuid: services.code.replace('9004', short) });

/** Where each characteristic is. */
export const characteristics: Readonly<Record<CharacteristicName, Place>> = {
  'ssid': provisioning('0002'),
  'password': provisioning('0003'),
  'security': provisioning('0004'),
  'control': provisioning('0005'),
  'status': provisioning('0006'),
  'reason': details('0101'),
  'network': details('0102'),
  'scan': details('0103'),
  'page': details('0104'),
  'device': details('0105'),
  'country': details('0106'),
  'custom': details('0107'),
  'code-scan': code('ff50'),
  'code-session': code('ff51'),
  'code-config': code('ff52'),
  'code-version': code('ff53'),
};

/** What is written to Control. */
export const control = { connect: 1, erase: 2 } as const;

/** What a gateway is doing. `unknown`: a number that this library does not know. */
export type Status = 'idle' | 'provisioned' | 'connecting' | 'connected' | 'failed' | 'unknown';

const statuses: readonly Status[] = ['idle', 'provisioned', 'connecting', 'connected', 'failed'];

/** The status that a byte stands for. */
export function statusOf(byte: number | undefined): Status {
  return statuses[byte ?? -1] ?? 'unknown';
}

/**
 * Why an attempt to join a network failed. `none`: it did not. `unknown`: the gateway does not tell, as one without the
 * details service cannot.
 */
export type Reason =
  | 'none' | 'wrong-password' | 'not-found' | 'refused' | 'security-not-offered' | 'no-address' | 'timed-out'
  | 'wifi-blocked' | 'not-valid' | 'internal' | 'unknown';

const reasons: readonly Reason[] = [
  'none', 'wrong-password', 'not-found', 'refused', 'security-not-offered', 'no-address', 'timed-out', 'wifi-blocked',
  'not-valid', 'internal',
];

/** The reason that a byte stands for. A number of a later version counts as `internal`, as the protocol asks. */
export function reasonOf(byte: number | undefined): Reason {
  return byte === undefined ? 'unknown' : reasons[byte] ?? 'internal';
}

/** How a network is secured: what is written to Security. `auto` is right unless you know better. */
export type Security = 'open' | 'wpa2' | 'wpa2-sha256' | 'wpa3' | 'wpa2-wpa3' | 'auto';

/** The byte of each security. */
export const securityBytes: Readonly<Record<Security, number>> = {
  'open': 0x00, 'wpa2': 0x01, 'wpa2-sha256': 0x02, 'wpa3': 0x03, 'wpa2-wpa3': 0x06, 'auto': 0xff,
};

/** A scan record's byte for a network that no password gets into: WEP, enterprise, a cipher that the radio lacks. */
export const unjoinable = 0xfe;
