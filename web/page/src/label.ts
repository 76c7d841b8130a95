/** What the label on a gateway has in its QR code beside the page's address: `#code=K7QF2M9XWR4T&name=PROV_A1B2C3`. */

/** A gateway's label, as far as the address has it. */
export interface Label {
  readonly code: string;
  /** The name of the gateway; empty: any. */
  readonly name: string;
  /** Of the code; empty: the usual one. */
  readonly user: string;
}

/** What a fragment says; undefined: no code. */
export function parseLabel(fragment: string): Label | undefined {
  const members = new URLSearchParams(fragment.replace(/^#/, ''));
  const code = members.get('code');
  return code ? { code, name: members.get('name') ?? '', user: members.get('user') ?? '' } : undefined;
}

/**
 * Takes the label out of the address bar, so that it stays in no history and goes into no link that is copied. Browsers send
 * fragments to nobody.
 */
export function takeLabel(): Label | undefined {
  const label = parseLabel(location.hash);
  if (!label) return undefined;
  try {
    history.replaceState(null, '', location.pathname + location.search);
  } catch { // a page from a disk
    location.hash = '';
  }
  return label;
}
