/**
 * Where an address roughly is, by a file in the MaxMind DB format that the operator gives (LATCHKEY_GEOIP_FILE). Asks
 * nobody over the network. What it says is a guess, good for a person who wonders whether that was them.
 */
import { readFileSync } from 'node:fs';
import { Reader } from 'mmdb-lib';

/** The file can't be used; the sentence is for the operator. */
export class PlacesFault extends Error {}

export interface Places {
  /** A city and a country in the given language, or what of them is known; null without either. */
  of(ip: string | null, locale: string | null): string | null;
}

export const NOWHERE: Places = { of: () => null };

/** What databases of cities and of countries have in common. */
interface Entry {
  city?: { names?: Record<string, string> };
  country?: { names?: Record<string, string> };
}

/** Read once, at the start. @throws PlacesFault. */
export function openPlaces(file: string): Places {
  const reader = read(file);
  return {
    of(ip, locale) {
      const found = ip === null ? null : look(ip);
      const language = (locale ?? 'en').split('-')[0] as string;
      const name = (names?: Record<string, string>) => names?.[language] ?? names?.['en'];
      const words = [name(found?.city?.names), name(found?.country?.names)].filter((word) => word !== undefined);
      return words.length === 0 ? null : words.join(', ');
    },
  };

  function look(ip: string): Entry | null {
    try {
      return reader.get(ip) as Entry | null;
    } catch {
      // Nothing that a sign-in should fail for: an address in a form that the file does not know, a broken branch.
      return null;
    }
  }
}

function read(file: string): Reader<never> {
  try {
    return new Reader<never>(readFileSync(file));
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new PlacesFault(`LATCHKEY_GEOIP_FILE (${file}) can not be used as a MaxMind DB: ${why}`, { cause: error });
  }
}
