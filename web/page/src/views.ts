/** What the page shows: functions that make elements of facts, and call back when the user does something. */
import { displayName, ssidOf, type CurrentNetwork, type DeviceInfo, type Explanation, type GatewayState, type Network } from '@wifiprovd/client';
import { countries } from './countries.js';
import { barsOf, fromAir, h, icon, icons } from './dom.js';
import type { Texts } from './texts.js';

type Act = () => void;

/** A view's heading, which gets the focus when the view is shown. */
export function heading(text: string): HTMLElement {
  return h('h1', { tabindex: '-1' }, text);
}

/** A large picture above a heading. */
function hero(picture: SVGElement, text: string, kind = ''): HTMLElement {
  return h('header', { class: `hero ${kind}` }, picture, heading(text));
}

function mainButton(text: string, act: Act, attributes: Record<string, string> = {}): HTMLElement {
  return h('button', { type: 'button', class: 'main', click: act, ...attributes }, text);
}

function button(text: string, act: Act, className = ''): HTMLElement {
  return h('button', { type: 'button', class: className, click: act }, text);
}

/** What went wrong and what to do. Screen readers say it at once. */
export function notice({ what, advice }: Explanation): HTMLElement {
  return h('section', { class: 'card notice', role: 'alert' }, h('h2', {}, what), h('p', {}, advice));
}

/** The first view. */
export function startView(t: Texts, problem: Explanation | undefined, find: Act): Node[] {
  return [
    hero(icons.wifi(), t.title),
    h('p', { class: 'soft' }, t.intro),
    ...problem ? [notice(problem)] : [],
    mainButton(t.find, find, { id: 'find' }),
  ];
}

/** The first view where the browser cannot. */
export function cannotView(t: Texts, why: Explanation, copy: ((button: HTMLElement) => void) | undefined): Node[] {
  const copyButton = button(t.copyLink, () => { copy?.(copyButton); });
  return [hero(icons.no(), t.title, 'bad'), notice(why), ...copy ? [copyButton] : []];
}

/** Something is going on. */
export function busyView(title: string, hint: string): Node[] {
  return [hero(icons.spinner(), title), h('p', { class: 'soft' }, hint)];
}

/** Asks for the code on the gateway's label. */
export function codeView(t: Texts, typed: string, problem: Explanation | undefined, prove: (typed: string) => void, without: Act): Node[] {
  const input = h('input', {
    'id': 'code', 'value': typed, 'autocapitalize': 'characters', 'autocomplete': 'off', 'spellcheck': 'false', 'maxlength': '80', 'aria-describedby': 'hint',
  });
  const submit = (event: Event): void => {
    event.preventDefault();
    if (input.value.trim() !== '') prove(input.value);
    else complainOf(t.codeMissing);
  };
  return [
    heading(t.code),
    ...problem ? [notice(problem)] : [],
    h('form', { submit, novalidate: true, autocomplete: 'off' },
      h('div', { class: 'field' }, h('label', { for: 'code' }, t.code), input, h('p', { id: 'hint', class: 'soft small' }, t.codeHint)),
      complaint(),
      h('div', { class: 'stack' }, h('button', { type: 'submit', class: 'main', id: 'prove' }, t.codeNext), button(t.withoutCode, without, 'link'))),
  ];
}

/** Where {@link complainOf} says what is missing. */
function complaint(): HTMLElement { return h('p', { id: 'complaint', class: 'notice', role: 'alert', hidden: true }); }

/** Says what is missing in the form; nothing: all is there. */
function complainOf(text: string): void {
  const place = document.getElementById('complaint');
  if (!place) return;
  place.hidden = text === '';
  place.textContent = text;
}

/** Which gateway this is, and what it is doing. */
export function gatewayCard(t: Texts, name: string, state: GatewayState): HTMLElement {
  const network = state.network;
  const idle = state.reason === 'none' ? t.status[state.status] : t.explain[state.reason].what;
  const line = network ? h('span', {}, `${t.status.connected}: `, fromAir(network.name)) : h('span', {}, idle);
  return h('section', { 'class': 'card row', 'aria-label': t.gateway },
    h('div', {}, h('h2', {}, fromAir(displayName(ssidOf(name)) || t.gateway)), h('span', { class: 'soft small' }, line)),
    network?.ipv4 ? h('span', { class: 'soft small' }, network.ipv4) : undefined);
}

/** The choice of a network. */
export interface NetworkChoice {
  /** undefined: the scan runs. */
  networks: readonly Network[] | undefined;
  problem: Explanation | undefined;
  pick: (network: Network) => void;
  other: Act;
  again: Act;
}

function networkItem(t: Texts, network: Network, pick: (network: Network) => void): HTMLElement {
  const facts = [
    network.current ? t.current : undefined,
    network.security ? undefined : t.unjoinable,
  ].filter((fact) => fact !== undefined);
  const bars = barsOf(network.signal);
  const unseen = [network.locked ? t.locked : t.open, t.signal[bars - 1] ?? ''].join(', ');
  return h('li', {}, h('button', { type: 'button', disabled: !network.security, click: () => { pick(network); } },
    h('span', { class: 'name' }, fromAir(network.name), ...facts.map((fact) => h('span', { class: 'soft small' }, fact)),
      h('span', { class: 'unseen' }, `, ${unseen}`)),
    network.locked ? icons.lock() : undefined, icons.signal(bars)));
}

/** The list of networks, with a spinner or a problem in its place. */
export function networksView(t: Texts, choice: NetworkChoice): Node[] {
  const { networks, problem } = choice;
  const other = h('li', {}, h('button', { type: 'button', id: 'other', click: choice.other }, icons.plus(),
    h('span', { class: 'name' }, t.otherNetwork, h('br'), h('span', { class: 'soft small' }, t.otherNetworkHint))));
  const items = (networks ?? []).map((network) => networkItem(t, network, choice.pick));
  return [
    heading(t.chooseNetwork),
    ...problem ? [notice(problem)] : [],
    ...networks ? [] : [h('p', { class: 'soft' }, icons.spinner(), ' ', t.scanning)],
    ...networks?.length === 0 && !problem ? [h('p', { class: 'soft' }, t.noNetworks)] : [],
    h('ul', { class: 'networks' }, ...items, other),
    ...networks ? [button(t.scanAgain, choice.again, 'link')] : [],
  ];
}

/** Asks for the country of a gateway that does not know it. */
export function countryCard(t: Texts, guess: string, set: (code: string) => void): HTMLElement {
  const options = countries(t.language).map(([code, name]) => h('option', { value: code, selected: code === guess }, name));
  const select = h('select', { id: 'country' }, h('option', { value: '' }, '–'), ...options);
  return h('section', { class: 'card' },
    h('label', { for: 'country' }, t.countryUnknown), h('p', { class: 'soft small' }, t.countryHint),
    h('div', { class: 'stack' }, select, button(t.setCountry, () => { if (select.value) set(select.value); })));
}

/** What the gateway says it is, and the way to have it forget everything. */
export function aboutCard(t: Texts, device: DeviceInfo | undefined, country: string | undefined, erase: Act): HTMLElement {
  const names = country ? new Intl.DisplayNames([t.language], { type: 'region', fallback: 'code' }) : undefined;
  const rows: [string, string | undefined][] = [
    [t.model, device?.model], [t.serial, device?.serial], [t.version, device?.version],
    [t.country, country === undefined ? undefined : nameOfCountry(names, country) ?? t.none],
  ];
  return h('details', {}, h('summary', {}, t.about), facts(rows), h('div', { class: 'row' }, button(t.erase, () => { ask(t, erase); }, 'danger')));
}

function nameOfCountry(names: Intl.DisplayNames | undefined, code: string): string | undefined {
  if (!/^[A-Z]{2}$/.test(code)) return undefined;
  return names?.of(code);
}

function facts(rows: readonly [string, string | undefined][]): HTMLElement {
  const told = rows.filter((row): row is [string, string] => row[1] !== undefined);
  return h('dl', {}, ...told.flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, fromAir(displayName(ssidOf(value))))]));
}

/** Asks whether the gateway shall forget everything. */
function ask(t: Texts, erase: Act): void {
  const close = (): void => { dialog.close(); };
  const dialog = h('dialog', { 'aria-labelledby': 'ask', 'close': () => { dialog.remove(); } },
    h('h1', { id: 'ask' }, t.eraseTitle), h('p', {}, t.eraseHint),
    h('div', { class: 'row' },
      button(t.cancel, close),
      button(t.eraseYes, () => { close(); erase(); }, 'danger')));
  document.body.append(dialog);
  dialog.showModal();
}

/** What is in the form, kept while other views are shown. */
export interface FormState {
  /** The network that was picked; undefined: its name is typed. */
  network: Network | undefined;
  name: string;
  password: string;
}

/** The name and password of a network. */
export function formView(t: Texts, form: FormState, problem: Explanation | undefined, join: Act, back: Act): Node[] {
  const submit = (event: Event): void => {
    event.preventDefault();
    if (complain(t, form)) join();
  };
  const { network } = form;
  return [
    ...network ? [h('h1', { tabindex: '-1' }, fromAir(network.name))] : [heading(t.otherNetwork.replace('…', ''))],
    ...problem ? [notice(problem)] : [],
    h('form', { submit, novalidate: true, autocomplete: 'off' },
      ...network ? [] : [nameField(t, form)],
      ...network?.locked === false ? [h('p', { class: 'soft' }, t.open)] : [passwordField(t, form)],
      complaint(),
      h('div', { class: 'stack' }, h('button', { type: 'submit', class: 'main', id: 'join' }, t.join), button(t.back, back))),
  ];
}

function nameField(t: Texts, form: FormState): HTMLElement {
  const input = h('input', {
    id: 'name', value: form.name, autocapitalize: 'none', autocomplete: 'off', spellcheck: 'false', dir: 'auto', maxlength: '32',
    input: () => { form.name = input.value; },
  });
  return h('div', { class: 'field' }, h('label', { for: 'name' }, t.networkName), input);
}

function passwordField(t: Texts, form: FormState): HTMLElement {
  const input = h('input', {
    'id': 'password', 'type': 'password', 'value': form.password, 'autocapitalize': 'none', 'autocomplete': 'off', 'spellcheck': 'false',
    'aria-describedby': 'hint', 'maxlength': '64', 'input': () => { form.password = input.value; },
  });
  const show = h('button', { 'type': 'button', 'class': 'link', 'aria-pressed': 'false', 'click': () => {
    const shown = input.type === 'password';
    input.type = shown ? 'text' : 'password';
    show.setAttribute('aria-pressed', String(shown));
    show.textContent = shown ? t.hide : t.show;
  } }, t.show);
  const paste = button(t.paste, () => {
    navigator.clipboard.readText().then((text) => { form.password = input.value = text.trim(); input.focus(); }, () => { input.focus(); });
  }, 'link');
  const hint = form.network ? t.passwordHint : `${t.passwordHint} ${t.noPassword}`;
  // A page that was not loaded securely has no clipboard.
  const tools = (navigator.clipboard as Clipboard | undefined)?.readText ? [show, paste] : [show];
  return h('div', { class: 'field' }, h('label', { for: 'password' }, t.password), input,
    h('div', { class: 'tools' }, ...tools), h('p', { id: 'hint', class: 'soft small' }, hint));
}

/** Says what no network can have; true: nothing. */
function complain(t: Texts, form: FormState): boolean {
  const needsPassword = form.network?.locked ?? form.password !== '';
  const name = ssidOf(form.name).length;
  let text = '';
  if (needsPassword && ssidOf(form.password).length < 8) text = t.tooShort;
  if (!form.network && (name < 1 || name > 32)) text = name > 32 ? t.nameTooLong : `${t.networkName}?`;
  complainOf(text);
  return text === '';
}

const order = ['opening', 'sending', 'joining', 'joined'] as const;

/** A step that the user sees. */
export type ShownStep = typeof order[number];

/** The steps of provisioning: those done, the one that runs, those to come. */
export interface Progress {
  nodes: readonly Node[];
  /** @param lost The Bluetooth connection is being opened again. */
  update(current: ShownStep, lost: boolean): void;
}

function progressItem(t: Texts, step: ShownStep, kind: 'done' | 'now' | 'todo'): HTMLElement {
  const picture = { done: icons.check, now: icons.spinner, todo: icons.todo }[kind]();
  return h('li', { 'class': kind, 'aria-current': kind === 'now' ? 'step' : undefined }, picture,
    h('span', {}, t.step[step], kind === 'done' ? h('span', { class: 'unseen' }, `, ${t.stepsDone}`) : undefined));
}

/** What is shown while the gateway joins. It changes in place, so that the focus stays where it is. */
export function progressView(t: Texts, name: string, other: Act): Progress {
  const list = h('ol', { class: 'steps' });
  const trouble = h('p', { class: 'soft', hidden: true }, t.step.reopening);
  return {
    nodes: [heading(t.joining), h('p', {}, fromAir(name)), h('section', { class: 'card' }, list), trouble, button(t.chooseOther, other, 'link')],
    update(current, lost): void {
      const at = order.indexOf(current);
      list.replaceChildren(...order.map((step, i) => progressItem(t, step, i < at ? 'done' : i === at ? 'now' : 'todo')));
      trouble.hidden = !lost;
    },
  };
}

/** The end. */
export function connectedView(t: Texts, name: string, network: CurrentNetwork | undefined, change: Act, another: Act): Node[] {
  const rows: [string, string | undefined][] = [
    [t.networkName, name], [t.address, network?.ipv4 ?? network?.ipv6], [t.router, network?.router], [t.security, network?.security],
  ];
  return [
    hero(icons.done(), t.connected, 'good'), h('p', { class: 'soft' }, t.connectedHint),
    h('section', { class: 'card' }, facts(rows)),
    h('div', { class: 'stack' }, button(t.another, another), button(t.changeNetwork, change, 'link')),
  ];
}

/** After an erase. */
export function erasedView(t: Texts, start: Act): Node[] {
  return [hero(icon([['M6 7h12M9 7V4.500h6V7M7.500 7l1 13h7l1-13']]), t.erased), h('p', { class: 'soft' }, t.erasedHint), mainButton(t.find, start, { id: 'find' })];
}
