/** The page: which view follows which. */
import { codeOf, CodeSession, displayName, Gateway, GatewayError, ssidOf, type BluetoothLike, type DeviceInfo, type ErrorCode, type Explanation, type GatewayState, type Network } from '@wifiprovd/client';
import { guessCountry, obstacle, type Browser } from './browser.js';
import { german } from './german.js';
import { takeLabel, type Label } from './label.js';
import { english, type Texts } from './texts.js';
import * as views from './views.js';

const languages: readonly Texts[] = [english, german];

/** The texts in the first of these languages that there are texts in, else English. */
export function textsFor(wanted: readonly string[]): Texts {
  for (const tag of wanted) {
    const found = languages.find((texts) => tag.toLowerCase().split('-')[0] === texts.language);
    if (found) return found;
  }
  return english;
}

/** After these errors the user chooses the gateway again. */
const outOfReach: readonly ErrorCode[] = ['unreachable', 'pairing', 'no-answer', 'not-a-gateway', 'impostor'];

/** After these errors the user types the code again. */
const ofCode: readonly ErrorCode[] = ['code-needed', 'wrong-code', 'code-locked'];

class App {
  readonly #t: Texts;
  readonly #view: HTMLElement;
  readonly #news: HTMLElement;
  readonly #form: views.FormState = { network: undefined, name: '', password: '' };
  #gateway: Gateway | undefined;
  /** What takes networks and passwords: the gateway, or the session that its code has opened. */
  #door: Gateway | CodeSession | undefined;
  /** Of the gateway that is being set up, once it is known. */
  #label: Label | undefined;
  /** The user has typed its code. */
  #typed = false;
  /** The gateway asks for a code. */
  #coded = false;
  #gone = false;
  #state: GatewayState = { status: 'unknown', reason: 'none', network: undefined };
  #device: DeviceInfo | undefined;
  #country: string | undefined;
  /** Counts what was begun: what ends after something else was begun shows nothing any more. */
  #turn = 0;

  constructor(t: Texts, view: HTMLElement, news: HTMLElement) {
    this.#t = t;
    this.#view = view;
    this.#news = news;
  }

  /** Uses a label that came with the address. */
  use(label: Label): void {
    this.#label = label;
    this.#typed = false;
  }

  /** Shows the first view. */
  start(problem?: Explanation): void {
    this.#turn++;
    const browser = window as unknown as Browser;
    const why = obstacle(browser);
    if (why) {
      const copy = why === 'insecure' ? undefined : (button: HTMLElement) => { void this.#copyLink(button); };
      this.#show(views.cannotView(this.#t, this.#t.cannot[why], copy));
      return;
    }
    this.#show(views.startView(this.#t, problem, () => { void this.#find(); }));
  }

  #show(nodes: readonly Node[]): void {
    this.#view.replaceChildren(...nodes);
    const heading = this.#view.querySelector<HTMLElement>('h1');
    heading?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }

  #say(text: string): void { this.#news.textContent = text; }

  async #copyLink(button: HTMLElement): Promise<void> {
    await (navigator.clipboard as Clipboard | undefined)?.writeText(location.href);
    button.textContent = this.#t.copied;
  }

  /** Words for what was thrown. */
  #explain(error: unknown): Explanation {
    if (error instanceof GatewayError && outOfReach.includes(error.code)) this.#gone = true;
    console.warn(String(error), error instanceof Error ? String(error.cause) : ''); // neither names nor passwords are in it
    return this.#t.explain[error instanceof GatewayError ? error.code : 'internal'];
  }

  async #find(): Promise<void> {
    const turn = ++this.#turn;
    this.#leave();
    let gateway: Gateway | undefined;
    try {
      gateway = await this.#choose();
      this.#show(views.busyView(this.#t.opening, this.#t.openingHint));
      this.#coded = await gateway.asksForCode();
      if (turn !== this.#turn) return;
      if (this.#coded) await this.#withCode();
      else await this.#withoutCode();
    } catch (error) {
      const problem = this.#explain(error);
      gateway?.disconnect();
      if (turn === this.#turn) this.start(problem);
    }
  }

  #leave(): void {
    this.#gateway?.disconnect();
    this.#gateway = this.#door = this.#device = this.#country = undefined;
    if (this.#typed) this.#label = undefined; // another gateway has another one
  }

  /** The gateway is one that asks for no code, or the user has none. */
  async #withoutCode(): Promise<void> {
    const turn = ++this.#turn;
    const gateway = this.#gateway;
    if (!gateway) return;
    try {
      this.#show(views.busyView(this.#t.opening, this.#t.openingHint));
      if (this.#coded && await gateway.needsCode()) { // before the user pairs in vain
        if (turn === this.#turn) this.#askCode(this.#t.explain['code-needed']);
        return;
      }
      await gateway.connect();
      this.#state = await gateway.status();
      this.#device = await gateway.device();
      this.#country = await gateway.country();
      if (turn !== this.#turn) return;
      this.#door = gateway;
      await this.#networks();
    } catch (error) {
      const problem = this.#explain(error);
      gateway.disconnect();
      if (turn === this.#turn) this.start(problem);
    }
  }

  /** Proves the code on the label, once it is known. */
  async #withCode(): Promise<void> {
    const turn = ++this.#turn;
    if (!this.#label || !this.#gateway) {
      this.#askCode();
      return;
    }
    this.#show(views.busyView(this.#t.proving, this.#t.provingHint));
    try {
      const session = await this.#prove(this.#gateway, this.#label);
      this.#state = await session.status();
      if (turn !== this.#turn) return;
      this.#door = session;
      await this.#networks();
    } catch (error) {
      const problem = this.#explain(error);
      if (turn === this.#turn) this.#complain(error, problem, () => { this.start(problem); });
    }
  }

  #prove(gateway: Gateway, { code, user }: Label): Promise<CodeSession> {
    return CodeSession.prove(gateway, code, user ? { user } : {});
  }

  #askCode(problem?: Explanation): void {
    this.#turn++;
    const label = this.#label ?? { code: '', name: '', user: '' };
    const prove = (typed: string): void => {
      this.#label = { ...label, code: codeOf(typed) };
      this.#typed = true;
      void this.#withCode();
    };
    this.#show(views.codeView(this.#t, label.code, problem, prove, () => { void this.#withoutCode(); }));
    document.getElementById('code')?.focus();
  }

  /** Asks for the code where that is what is wrong, else does what is to be done. */
  #complain(error: unknown, problem: Explanation, otherwise: () => void): void {
    if (error instanceof GatewayError && ofCode.includes(error.code)) {
      this.#coded = true; // it may have got one since it was asked
      this.#askCode(problem);
    } else otherwise();
  }

  /** Has the user choose a gateway. */
  async #choose(): Promise<Gateway> {
    const prefix = [this.#label?.name, document.body.dataset['namePrefix']].find((name) => name);
    const gateway = await Gateway.request({ code: true, ...prefix ? { namePrefix: prefix } : {} });
    this.#gateway?.disconnect();
    this.#gone = false;
    this.#gateway = gateway;
    return gateway;
  }

  /** The gateway that was chosen. One that was lost is chosen again: a browser may have forgotten it meanwhile. */
  async #reach(): Promise<Gateway | CodeSession> {
    if (this.#door && !this.#gone) return this.#door;
    const gateway = await this.#choose();
    this.#door = this.#coded && this.#label ? await this.#prove(gateway, this.#label) : gateway;
    return this.#door;
  }

  async #networks(): Promise<void> {
    const turn = ++this.#turn;
    this.#showNetworks(undefined);
    this.#say(this.#t.scanning);
    try {
      const networks = await (await this.#reach()).scan();
      if (turn === this.#turn) this.#showNetworks(networks);
    } catch (error) {
      if (turn !== this.#turn) return;
      const problem = this.#explain(error);
      if (error instanceof GatewayError && error.code === 'unsupported') this.#enter(undefined);
      else this.#complain(error, problem, () => { this.#showNetworks([], problem); });
    }
    this.#say('');
  }

  #showNetworks(networks: readonly Network[] | undefined, problem?: Explanation): void {
    const [title, ...rest] = views.networksView(this.#t, {
      networks, problem,
      pick: (network) => { this.#pick(network); },
      other: () => { this.#enter(undefined); },
      again: () => { void this.#networks(); },
    });
    const guess = guessCountry(navigator.languages);
    // Behind the code, whether it knows its country is not known before the phone has paired.
    const asks = this.#country === '' || this.#country === undefined && this.#door instanceof CodeSession && networks?.length === 0;
    const country = asks && networks ? [views.countryCard(this.#t, guess, (code) => { void this.#setCountry(code); })] : [];
    const first = networks?.length === 0; // the country may be why
    this.#show([
      ...title ? [title] : [],
      views.gatewayCard(this.#t, this.#gateway?.name ?? '', this.#state),
      ...first ? country : [],
      ...rest,
      ...first ? [] : country,
      views.aboutCard(this.#t, this.#device, this.#country, () => { void this.#erase(); }),
    ]);
  }

  async #setCountry(code: string): Promise<void> {
    const turn = ++this.#turn;
    try {
      await this.#gateway?.setCountry(code);
      this.#country = code;
    } catch (error) {
      const problem = this.#explain(error);
      if (turn === this.#turn) this.#complain(error, problem, () => { this.#showNetworks([], problem); });
      return;
    }
    if (turn === this.#turn) await this.#networks();
  }

  #pick(network: Network): void {
    if (network.name !== this.#form.network?.name) this.#form.password = '';
    this.#enter(network);
    if (!network.locked) void this.#join();
  }

  #enter(network: Network | undefined, problem?: Explanation): void {
    this.#turn++;
    this.#form.network = network;
    this.#show(views.formView(this.#t, this.#form, problem, () => { void this.#join(); }, () => { void this.#networks(); }));
    const input = document.getElementById(network ? 'password' : 'name') as HTMLInputElement | null;
    input?.focus();
    input?.select();
  }

  async #join(): Promise<void> {
    const turn = ++this.#turn;
    const { network, name, password } = this.#form;
    const shown = network?.name ?? displayName(ssidOf(name));
    const other = (): void => { void this.#networks(); };
    let at: views.ShownStep = 'opening';
    const progress = views.progressView(this.#t, shown, other);
    progress.update(at, false);
    this.#show(progress.nodes);
    try {
      const steps = (await this.#reach()).provision({ ssid: network?.ssid ?? name, password: network?.locked === false ? '' : password });
      for await (const step of steps) {
        if (turn !== this.#turn) return;
        if (step.kind === 'failed') {
          this.#enter(network, this.#t.explain[step.reason]);
          return;
        }
        if (step.kind === 'connected') {
          this.#form.password = '';
          this.#state = { status: 'connected', reason: 'none', network: step.network };
          this.#show(views.connectedView(this.#t, shown, step.network, other, () => { this.#restart(); }));
          this.#say(this.#t.connected);
          return;
        }
        if (step.kind !== 'reopening') at = step.kind;
        this.#say(this.#t.step[step.kind]);
        progress.update(at, step.kind === 'reopening');
      }
    } catch (error) {
      const problem = this.#explain(error);
      if (turn === this.#turn) this.#complain(error, problem, () => { this.#enter(network, problem); });
    }
  }

  async #erase(): Promise<void> {
    const turn = ++this.#turn;
    try {
      await this.#gateway?.erase();
      this.#gateway?.disconnect();
      if (turn === this.#turn) this.#show(views.erasedView(this.#t, () => { void this.#find(); }));
    } catch (error) {
      const problem = this.#explain(error);
      if (turn === this.#turn) this.#complain(error, problem, () => { this.#showNetworks([], problem); });
    }
  }

  #restart(): void {
    this.#leave();
    this.#label = undefined; // of this gateway
    this.start();
  }
}

/** Has the browser keep the page for when there is no network: the phone may have none where the gateway is. */
function keepOffline(): void {
  if (!('serviceWorker' in navigator) || !location.protocol.startsWith('http')) return;
  const { trustedTypes } = window as { trustedTypes?: { createPolicy(name: string, rules: object): { createScriptURL(s: string): string } } };
  const policy = trustedTypes?.createPolicy('worker', { createScriptURL: (url: string) => url });
  navigator.serviceWorker.register(policy?.createScriptURL('sw.js') ?? 'sw.js').catch(() => undefined); // it works without
}

/** Starts the page. */
export function start(): void {
  const wanted = new URLSearchParams(location.search).get('lang');
  const texts = textsFor(wanted ? [wanted] : navigator.languages);
  document.documentElement.lang = texts.language;
  document.title = texts.title;
  const view = document.getElementById('view'), news = document.getElementById('news');
  if (!view || !news) return;
  const app = new App(texts, view, news);
  const use = (): void => {
    const label = takeLabel();
    if (label) app.use(label);
  };
  use();
  window.addEventListener('hashchange', () => { // another label, read while the page is open
    if (!location.hash.includes('code=')) return;
    use();
    app.start();
  });
  app.start();
  const { bluetooth } = navigator as { bluetooth?: BluetoothLike };
  bluetooth?.getAvailability?.().then((there) => { if (!there) app.start({ what: texts.explain['bluetooth-off'].what, advice: texts.offNow }); }, () => undefined);
  keepOffline();
}
