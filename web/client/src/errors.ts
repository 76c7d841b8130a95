/**
 * What went wrong between the browser and the gateway.
 *
 * - `no-bluetooth`: this browser has no Web Bluetooth, or it is switched off, or the page is not from a secure origin.
 * - `bluetooth-off`: the computer or phone has no Bluetooth adapter, or it is off.
 * - `cancelled`: nobody chose a gateway in the browser's chooser.
 * - `not-allowed`: the browser, or its user, does not let this page use Bluetooth.
 * - `unreachable`: the gateway cannot be connected to, or the connection ended and does not come back.
 * - `not-a-gateway`: the device has no provisioning service.
 * - `pairing`: the gateway asks for pairing, which did not succeed.
 * - `rejected`: the gateway refuses a request, again and again.
 * - `no-answer`: the gateway does not answer, or an attempt does not end.
 * - `scan-failed`: the gateway could not look for networks: its Wi-Fi is missing, or blocked until it knows its country.
 * - `unsupported`: the gateway does not have this: it is older, or not a wifiprovd.
 * - `code-needed`: the gateway lets nobody in who has not proved the code on its label: `CodeSession`.
 * - `wrong-code`: the gateway does not take the code.
 * - `code-locked`: it takes no code for now, after several wrong ones. It does not tell for how long.
 * - `impostor`: what answers does not know the code: it is not the gateway that the label belongs to.
 * - `session-lost`: what was proved is forgotten, again and again.
 */
export type ErrorCode =
  | 'no-bluetooth' | 'bluetooth-off' | 'cancelled' | 'not-allowed' | 'unreachable' | 'not-a-gateway' | 'pairing'
  | 'rejected' | 'no-answer' | 'scan-failed' | 'unsupported'
  | 'code-needed' | 'wrong-code' | 'code-locked' | 'impostor' | 'session-lost';

/** An error with a code. Its message is for a developer's console; {@link explain} has words for a user. */
export class GatewayError extends Error {
  override readonly name = 'GatewayError';

  /** @param cause What the browser threw, if it was that. */
  constructor(readonly code: ErrorCode, message: string, cause?: unknown) {
    super(message, { cause });
  }
}

/** The `name` of what the browser threw: a DOMException's, such as `NetworkError`. */
export function nameOf(error: unknown): string {
  return error instanceof Error ? error.name : '';
}
