/**
 * What was sealed or opened a moment ago, so that a row which is read at every request is not decrypted each time. The
 * key is the sealed text itself, whose nonce never comes twice: what changes in the store is another text, so nothing
 * here is ever stale. Holds as text what the process held anyway; bounded, the least recently used leaves first.
 */
import { LRUCache } from 'lru-cache';

const MOST_ENTRIES = 4096;
/** Longer ones are rare, and would crowd out many others. */
const LONGEST = 4096;

export function createOpened() {
  const texts = new LRUCache<string, { context: string; text: string }>({ max: MOST_ENTRIES });
  return {
    keep(envelope: string, context: string, text: string): void {
      if (envelope.length <= LONGEST) texts.set(envelope, { context, text });
    },

    /** Only for the same place: for another one the envelope does not open. */
    find(envelope: string, context: string): string | undefined {
      const known = texts.get(envelope);
      return known?.context === context ? known.text : undefined;
    },
  };
}
