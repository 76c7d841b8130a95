/**
 * Names of networks. A name is whatever bytes somebody in range chose: usually text, but it may hold control characters,
 * turn the direction of writing around, or be no text at all.
 */

const encoder = /* @__PURE__ */ new TextEncoder();

/** The bytes of a name that a user typed. */
export function ssidOf(name: string): Uint8Array<ArrayBuffer> {
  return encoder.encode(name);
}

// What would not be seen, or would move its neighbours: controls, format characters (direction marks among them), unassigned
// and private ones, line and paragraph separators, spaces other than U+0020, and characters that are drawn as nothing.
const invisible = /[\p{C}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}]|(?! )\p{Zs}/u;

// An emoji may hold joiners and variation selectors, which are invisible elsewhere.
const emoji = /\p{Extended_Pictographic}\ufe0f?(?:\p{Emoji_Modifier})?(?:\u200d\p{Extended_Pictographic}\ufe0f?\p{Emoji_Modifier}?)*/u;

const pieces = /* @__PURE__ */ new RegExp(`${emoji.source}|${invisible.source}`, 'gu');

const hex = (n: number, digits: number): string => n.toString(16).toUpperCase().padStart(digits, '0');

function visible(piece: string): string {
  const escape = (c: string): string => `\\u{${hex(c.codePointAt(0) ?? 0, 4)}}`;
  return invisible.test(piece) && !/^\p{Extended_Pictographic}/u.test(piece) ? piece.replace(/./gsu, escape) : piece;
}

/**
 * A name as text that is safe to show: whatever is invisible in it is written as `\u{202E}`, bytes that are no UTF-8 as
 * `\xFF`, and spaces at either end as `␣`. It is text, not HTML: show it as such, and isolate its direction (`<bdi>`).
 *
 * @param ssid The name's bytes.
 */
export function displayName(ssid: Uint8Array): string {
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(ssid);
  } catch {
    return [...ssid].map((b) => (b >= 0x20 && b < 0x7f ? String.fromCharCode(b) : `\\x${hex(b, 2)}`)).join('');
  }
  const spaces = (s: string): string => '␣'.repeat(s.length);
  return text.replace(pieces, visible).replace(/^ +/, spaces).replace(/ +$/, spaces);
}

/** Whether two names are the same bytes. */
export function sameName(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
