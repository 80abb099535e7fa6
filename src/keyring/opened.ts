/**
 * What was sealed or opened a moment ago, so that a row which is read at every request is not decrypted each time. The
 * key is the sealed text itself, whose nonce never comes twice: what changes in the store is another text, so nothing
 * here is ever stale. Holds as text what the process held anyway; bounded: of two generations the older one leaves as
 * a whole, because forgetting one by one costs as much as opening.
 */
const MOST_ENTRIES = 4096;
/** Longer ones are rare, and would crowd out many others. */
const LONGEST = 4096;

interface Opened {
  context: string;
  text: string;
}

export function createOpened() {
  let young = new Map<string, Opened>();
  let old = new Map<string, Opened>();

  function put(envelope: string, opened: Opened): void {
    if (young.size >= MOST_ENTRIES / 2) {
      old = young;
      young = new Map();
    }
    young.set(envelope, opened);
  }

  return {
    keep(envelope: string, context: string, text: string): void {
      if (envelope.length <= LONGEST) put(envelope, { context, text });
    },

    /** Only for the same place: for another one the envelope does not open. */
    find(envelope: string, context: string): string | undefined {
      let known = young.get(envelope);
      if (!known) {
        known = old.get(envelope);
        if (known) put(envelope, known);
      }
      return known?.context === context ? known.text : undefined;
    },
  };
}
