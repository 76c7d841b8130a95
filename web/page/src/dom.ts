/** Elements, made of text only: nothing here takes HTML. */

type Child = Node | string | undefined;

/** Attributes; a function is a listener of the event of that name, `true` an attribute without a value, undefined none. */
type Attributes = Readonly<Record<string, string | boolean | undefined | ((event: Event) => void)>>;

function dress(element: Element, attributes: Attributes, children: readonly Child[]): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name, value);
    else if (typeof value === 'string') element.setAttribute(name, value);
    else if (value) element.setAttribute(name, '');
  }
  element.append(...children.filter((child) => child !== undefined));
}

/** An element with attributes and children. */
export function h<K extends keyof HTMLElementTagNameMap>(tag: K, attributes: Attributes = {}, ...children: Child[]): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  dress(element, attributes, children);
  return element;
}

const svgNamespace = 'http://www.w3.org/2000/svg';

/** A decoration of lines in a square of 24; each path has a class of its own, or none. */
export function icon(paths: readonly (readonly [path: string, className?: string | undefined])[], className = ''): SVGElement {
  const svg = document.createElementNS(svgNamespace, 'svg');
  dress(svg, { 'viewBox': '0 0 24 24', 'fill': 'none', 'stroke': 'currentColor', 'stroke-width': '2', 'stroke-linecap': 'round', 'stroke-linejoin': 'round', 'aria-hidden': 'true', 'class': className }, []);
  for (const [d, of] of paths) {
    const path = document.createElementNS(svgNamespace, 'path');
    dress(path, { d, class: of }, []);
    svg.append(path);
  }
  return svg;
}

/**
 * Text that came over the air, as displayName makes it: isolated, so that its direction stays its own. What stands for an
 * invisible character runs from left to right even in a name that does not.
 */
export function fromAir(text: string): HTMLElement {
  const parts = text.split(/(\\u\{[0-9A-F]+\})/);
  return h('bdi', {}, ...parts.map((part, i) => (i % 2 ? h('bdi', { dir: 'ltr', class: 'soft' }, part) : part)));
}

export const icons = {
  wifi: (): SVGElement => icon([['M2 9a15 15 0 0 1 20 0'], ['M5.500 12.800a10 10 0 0 1 13 0'], ['M9 16.500a5 5 0 0 1 6 0'], ['M12 20h.01']]),
  check: (): SVGElement => icon([['M5 12.500l4.500 4.500L19 7.500']]),
  done: (): SVGElement => icon([['M22 12a10 10 0 1 1-20 0a10 10 0 1 1 20 0'], ['M7.500 12.500l3 3l6-6.500']]),
  no: (): SVGElement => icon([['M22 12a10 10 0 1 1-20 0a10 10 0 1 1 20 0'], ['M12 7v6'], ['M12 16.500h.01']]),
  lock: (): SVGElement => icon([['M6 11h12v9H6z'], ['M8.500 11V8a3.500 3.500 0 0 1 7 0v3']]),
  spinner: (): SVGElement => icon([['M12 3a9 9 0 1 0 9 9']], 'spinner'),
  todo: (): SVGElement => icon([['M13.500 12a1.500 1.500 0 1 1-3 0a1.500 1.500 0 1 1 3 0']]),
  plus: (): SVGElement => icon([['M12 6v12M6 12h12']]),
  /** @param bars 1 to 4 */
  signal: (bars: number): SVGElement => icon(
    ['M4 20v-2', 'M9.300 20v-6', 'M14.600 20V10', 'M20 20V5'].map((d, i) => [d, i < bars ? 'on' : undefined] as const), 'signal'),
};

/** Bars for a signal in dBm: 1 to 4. */
export function barsOf(dBm: number): number {
  return 1 + [-75, -67, -55].filter((limit) => dBm >= limit).length;
}
