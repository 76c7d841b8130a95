/**
 * Gets a headless gateway that runs wifiprovd onto Wi-Fi, by Web Bluetooth.
 *
 * ```ts
 * const gateway = await Gateway.request();             // from a click
 * for await (const step of gateway.provision({ ssid: 'home', password })) {
 *   if (step.kind === 'connected') show(step.network?.ipv4);
 *   if (step.kind === 'failed') show(explain(step.reason).advice);
 * }
 * ```
 *
 * @packageDocumentation
 */
export type { BluetoothLike, CharacteristicLike, DeviceLike, ListenedTo, ServerLike, ServiceLike } from './bluetooth.js';
export { CodeSession, codeOf, type CodeOptions } from './code.js';
export { services, type Reason, type Security, type Status } from './contract.js';
export type { CurrentNetwork, DeviceInfo, Network } from './details.js';
export { GatewayError, type ErrorCode } from './errors.js';
export type { Credentials } from './credentials.js';
export { Gateway, type GatewayState, type RequestOptions } from './gateway.js';
export type { Step } from './attempt.js';
export { displayName, sameName, ssidOf } from './names.js';
export { explain, type Explanation } from './texts.js';
export type { Times } from './time.js';
