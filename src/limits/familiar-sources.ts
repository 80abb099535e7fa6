/** Sources from which somebody signed in during the last months: of them more new people are believed at once. */
import type { Keyring } from '../keyring/keyring.ts';
import { sourceOf } from './sources.ts';
import type { SqlWindows } from './window-store.ts';

const MONTH_MS = 30 * 86_400_000;

export interface FamiliarSourcesOptions {
  windows: Pick<SqlWindows, 'hit' | 'has'>;
  keyring: Pick<Keyring, 'mac'>;
}

export function createFamiliarSources({ windows, keyring }: FamiliarSourcesOptions) {
  const keyOf = (address: string) => `familiar:${keyring.mac('limits', `source|${sourceOf(address)}`)}`;
  return {
    /** Somebody signed in from there. One write a month. */
    async remember(address: string): Promise<void> {
      const key = keyOf(address);
      if (!(await windows.has(key, MONTH_MS))) await windows.hit(key, MONTH_MS);
    },

    isFamiliar: (address: string): Promise<boolean> => windows.has(keyOf(address), MONTH_MS),
  };
}

export type FamiliarSources = ReturnType<typeof createFamiliarSources>;
