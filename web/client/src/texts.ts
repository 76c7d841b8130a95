import type { Reason } from './contract.js';
import type { ErrorCode } from './errors.js';

/** Words for a user. */
export interface Explanation {
  /** What happened, in a sentence. */
  readonly what: string;
  /** What to do about it, in a sentence or two; empty if there is nothing to do. */
  readonly advice: string;
}

const say = (what: string, advice: string): Explanation => ({ what, advice });

const texts: Readonly<Record<Reason | ErrorCode, Explanation>> = {
  'none': say('There is no failure.', ''),
  'wrong-password': say('The password is wrong.', 'Check it and try again. Capital and small letters are not the same.'),
  'not-found': say('The gateway cannot find this network.',
    'Check the name, switch the router on, or move the gateway closer to it.'),
  'refused': say('The router turned the gateway away.',
    'Look for an address filter or a limit of devices in the router’s settings.'),
  'security-not-offered': say('The network does not offer this kind of security.', 'Choose “automatic”.'),
  'no-address': say('The gateway is on the network, but the router gave it no address.',
    'Check the router’s DHCP settings, or restart the router.'),
  'timed-out': say('It took too long.', 'The signal may be weak. Move the gateway closer to the router and try again.'),
  'wifi-blocked': say('The gateway’s Wi-Fi is missing or blocked.',
    'Tell the gateway its country if it does not know it. Otherwise the fault is in the gateway.'),
  'not-valid': say('No network can have this name and password.', 'A password has 8 to 63 characters.'),
  'internal': say('Something in the gateway went wrong.', 'Switch it off and on and try again.'),
  'unknown': say('The gateway could not join the network.', 'Check the password and try again.'),
  'no-bluetooth': say('This browser cannot use Bluetooth.',
    'Open this page in Chrome or Edge on Android, Windows, macOS or ChromeOS.'),
  'bluetooth-off': say('Bluetooth is off.', 'Switch it on and try again.'),
  'cancelled': say('No gateway was chosen.', 'If yours is not in the list, move closer to it and check that it is on.'),
  'not-allowed': say('The browser may not use Bluetooth.',
    'Allow it for this page, and on Android allow the browser to find nearby devices.'),
  'unreachable': say('The gateway does not answer.', 'Move closer to it, check that it is on, and try again.'),
  'not-a-gateway': say('This device is not a gateway.', 'Choose another one.'),
  'pairing': say('Pairing did not work.',
    'If this device was paired with the gateway before, forget the gateway in the Bluetooth settings and try again.'),
  'rejected': say('The gateway refuses this.', 'Another phone may be setting it up. Wait a moment and try again.'),
  'no-answer': say('The gateway takes too long to answer.', 'Move closer to it and try again.'),
  'scan-failed': say('The gateway could not look for networks.',
    'Tell it its country if it does not know it, or type the network’s name.'),
  'unsupported': say('This gateway cannot do that.', ''),
  'code-needed': say('This gateway wants its code.', 'Type the code that is on its label.'),
  'wrong-code': say('The code is wrong.', 'Check it on the gateway’s label, and that this is the gateway it belongs to.'),
  'code-locked': say('The gateway takes no code for now.',
    'That is so after several wrong ones. Wait for a minute, or at most six; its button, or switching it off and on, ends it at once.'),
  'impostor': say('This is not the gateway that the label belongs to.', 'Type no password. Choose another gateway.'),
  'session-lost': say('The gateway has forgotten the code.', 'Move closer to it and try again.'),
};

/**
 * English words for a reason or an error's code.
 *
 * @param code A {@link Reason} or an {@link ErrorCode}.
 */
export function explain(code: Reason | ErrorCode): Explanation {
  return texts[code];
}
