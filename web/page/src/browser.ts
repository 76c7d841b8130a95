/** What this browser can do, and says. */
import type { BluetoothLike } from '@wifiprovd/client';

type Bluetooth = BluetoothLike & EventTarget;

/** The parts of a browser that decide. */
export interface Browser {
  readonly isSecureContext: boolean;
  readonly navigator: { readonly userAgent: string; readonly maxTouchPoints: number; readonly bluetooth?: Bluetooth };
}

/** Why there is no Web Bluetooth; undefined: there is. */
export type Obstacle = 'insecure' | 'ios' | 'linux' | 'other' | undefined;

/** Whether the browser can do Web Bluetooth, and if not, what stands in the way. */
export function obstacle({ isSecureContext, navigator }: Browser): Obstacle {
  if (navigator.bluetooth) return undefined;
  const agent = navigator.userAgent;
  // An iPad says that it is a Mac; no Mac has a touch screen.
  if (/iPhone|iPad|iPod/.test(agent) || (agent.includes('Macintosh') && navigator.maxTouchPoints > 1)) return 'ios';
  if (!isSecureContext) return 'insecure';
  if (agent.includes('Linux') && !agent.includes('Android') && /Chrom(e|ium)\//.test(agent)) return 'linux';
  return 'other';
}

/** The two letters of ISO 3166-1 that the languages name, such as DE for de-DE; empty if none does. */
export function guessCountry(languages: readonly string[]): string {
  for (const language of languages) {
    const region = /^[a-z]{2,3}(?:-[A-Z][a-z]{3})?-([A-Z]{2})\b/.exec(language)?.[1];
    if (region) return region;
  }
  return '';
}
