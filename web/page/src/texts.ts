import { explain, type ErrorCode, type Explanation, type Reason } from '@wifiprovd/client';

/** Everything that the page says, in one language. A function takes what it talks about. */
export interface Texts {
  language: string;
  title: string;
  intro: string;
  find: string;
  choosing: string;
  opening: string;
  openingHint: string;
  gateway: string;
  code: string;
  codeHint: string;
  codeNext: string;
  codeMissing: string;
  proving: string;
  provingHint: string;
  withoutCode: string;
  offNow: string;
  chooseNetwork: string;
  scanning: string;
  noNetworks: string;
  scanAgain: string;
  otherNetwork: string;
  otherNetworkHint: string;
  current: string;
  open: string;
  locked: string;
  unjoinable: string;
  signal: readonly [string, string, string, string];
  networkName: string;
  password: string;
  passwordHint: string;
  noPassword: string;
  show: string;
  hide: string;
  paste: string;
  join: string;
  back: string;
  tooShort: string;
  nameTooLong: string;
  joining: string;
  step: { opening: string; sending: string; joining: string; joined: string; reopening: string };
  stepsDone: string;
  chooseOther: string;
  connected: string;
  connectedHint: string;
  address: string;
  router: string;
  security: string;
  another: string;
  changeNetwork: string;
  tryAgain: string;
  about: string;
  model: string;
  serial: string;
  version: string;
  country: string;
  countryUnknown: string;
  countryHint: string;
  setCountry: string;
  none: string;
  status: { connected: string; connecting: string; idle: string; provisioned: string; failed: string; unknown: string };
  on: string;
  erase: string;
  eraseTitle: string;
  eraseHint: string;
  eraseYes: string;
  cancel: string;
  erased: string;
  erasedHint: string;
  cannot: {
    insecure: Explanation;
    ios: Explanation;
    linux: Explanation;
    other: Explanation;
  };
  copyLink: string;
  copied: string;
  explain: Readonly<Record<Reason | ErrorCode, Explanation>>;
}

const codes: readonly (Reason | ErrorCode)[] = [
  'none', 'wrong-password', 'not-found', 'refused', 'security-not-offered', 'no-address', 'timed-out', 'wifi-blocked', 'not-valid',
  'internal', 'unknown', 'no-bluetooth', 'bluetooth-off', 'cancelled', 'not-allowed', 'unreachable', 'not-a-gateway', 'pairing',
  'rejected', 'no-answer', 'scan-failed', 'unsupported', 'code-needed', 'wrong-code', 'code-locked', 'impostor', 'session-lost',
];

export const english: Texts = {
  language: 'en',
  title: 'Set up Wi-Fi',
  intro: 'Your gateway joins your Wi-Fi in a minute. Stay near it, with your Wi-Fi password at hand.',
  find: 'Find my gateway',
  choosing: 'Choose your gateway in the browser’s list.',
  opening: 'Connecting to the gateway…',
  openingHint: 'If you are asked to pair, agree. If you are asked for a passkey, the gateway shows it.',
  gateway: 'Gateway',
  code: 'Code on the label',
  codeHint: 'On the gateway’s label: twelve letters and digits. Capital or small does not matter.',
  codeNext: 'Next',
  codeMissing: 'Type the code that is on the label.',
  proving: 'The code is being checked…',
  provingHint: 'You and the gateway show each other that you know it. It is not sent.',
  withoutCode: 'Try without a code',
  offNow: 'Bluetooth is off. Switch it on, then find your gateway.',
  chooseNetwork: 'Choose your Wi-Fi',
  scanning: 'The gateway is looking for networks…',
  noNetworks: 'The gateway hears no network.',
  scanAgain: 'Look again',
  otherNetwork: 'Another network…',
  otherNetworkHint: 'One that hides its name',
  current: 'in use',
  open: 'open, without a password',
  locked: 'needs a password',
  unjoinable: 'not possible: company login or outdated security',
  signal: ['weak signal', 'fair signal', 'good signal', 'strong signal'],
  networkName: 'Network name',
  password: 'Password',
  passwordHint: 'The Wi-Fi password, often on a label on the router.',
  noPassword: 'Leave it empty if the network is open.',
  show: 'Show',
  hide: 'Hide',
  paste: 'Paste',
  join: 'Connect',
  back: 'Back',
  tooShort: 'A Wi-Fi password has at least 8 characters.',
  nameTooLong: 'A network’s name has at most 32 bytes.',
  joining: 'Connecting to Wi-Fi',
  step: {
    opening: 'Connect to the gateway',
    sending: 'Hand over the password',
    joining: 'The gateway joins the network',
    joined: 'The router assigns an address',
    reopening: 'The Bluetooth connection was lost. Coming back…',
  },
  stepsDone: 'done',
  chooseOther: 'Choose another network',
  connected: 'Your gateway is on Wi-Fi',
  connectedHint: 'You may close this page. The gateway reconnects by itself from now on.',
  address: 'Address',
  router: 'Router',
  security: 'Security',
  another: 'Set up another gateway',
  changeNetwork: 'Choose another network',
  tryAgain: 'Try again',
  about: 'About this gateway',
  model: 'Model',
  serial: 'Serial number',
  version: 'Version',
  country: 'Country',
  countryUnknown: 'Which country is it in?',
  countryHint: 'The gateway does not know its country. Until it does, it may hear few networks, or none.',
  setCountry: 'Tell the gateway',
  none: 'not known',
  status: {
    connected: 'Connected', connecting: 'Connecting…', idle: 'Not on any network yet', provisioned: 'Its network is out of reach',
    failed: 'Not connected', unknown: 'Unknown',
  },
  on: 'On Wi-Fi',
  erase: 'Forget Wi-Fi and phones',
  eraseTitle: 'Forget everything?',
  eraseHint: 'The gateway leaves its network and forgets every phone that was paired with it.',
  eraseYes: 'Forget',
  cancel: 'Cancel',
  erased: 'The gateway has forgotten everything',
  erasedHint: 'Also forget the gateway in the Bluetooth settings of this device, if it is listed there.',
  cannot: {
    insecure: { what: 'This page was not loaded securely.', advice: 'Browsers allow Bluetooth only for addresses that begin with https.' },
    ios: {
      what: 'Browsers on iPhone and iPad cannot use Bluetooth.',
      advice: 'Use an Android phone, or Chrome or Edge on a computer. On the iPhone itself, the browser app Bluefy can open this page.',
    },
    linux: {
      what: 'Web Bluetooth is off in this browser.',
      advice: 'In Chrome or Chromium on Linux, open chrome://flags, enable “Experimental Web Platform features” and restart the browser.',
    },
    other: { what: 'This browser cannot use Bluetooth.', advice: 'Open this page in Chrome or Edge, on Android, Windows, macOS or ChromeOS.' },
  },
  copyLink: 'Copy the link',
  copied: 'Copied',
  explain: Object.fromEntries(codes.map((code) => [code, explain(code)])) as Record<Reason | ErrorCode, Explanation>,
};
