/**
 * Whether a password is only a person's or the service's own names. A name inside a longer phrase is fine: what counts
 * is that hardly anything else is there.
 */

/** So many digits and marks around names still don't make a password: a year, a birthday, an exclamation mark. */
const MAX_OTHERS = 6;
const MIN_WORD = 2;

export interface Names {
  email?: string;
  name?: string;
  service?: string;
}

/** `password` is in NFC. */
export function madeOfIdentity(password: string, names: Names): boolean {
  const words = wordsOf(names);
  const text = plain(password);
  if (concatenates(text, words)) return true;
  const letters = lettersOf(text);
  const others = [...password].length - [...letters].length;
  return others <= MAX_OTHERS && concatenates(letters, new Set([...words].map(lettersOf)));
}

/** Each name whole and in its parts; of a mail address also the labels of its domain but the last. */
function wordsOf({ email = '', name = '', service = '' }: Names): Set<string> {
  const [local = '', domain = ''] = email.split('@');
  const labels = domain.split('.');
  const whole = [email, local, domain, name, service, ...labels.slice(0, -1)];
  const parts = whole.slice(1).flatMap((text) => text.normalize('NFC').split(/[^\p{L}\p{M}\p{N}]+/u));
  // The last label may join in (`ada@example.com` typed as a password) but is no name by itself: it is in `domain`.
  const last = plain(labels.at(-1) ?? '');
  const words = [...whole, ...parts].map(plain).filter((word) => word !== last || word === plain(name));
  return new Set(words.filter((word) => [...word].length >= MIN_WORD));
}

const plain = (text: string) =>
  text
    .normalize('NFC')
    .toLowerCase()
    .replace(/[^\p{L}\p{M}\p{N}]+/gu, '');

const lettersOf = (text: string) => text.replace(/[^\p{L}\p{M}]+/gu, '');

/** Whether `text` is one or more of the words in a row. Its time is bounded by the length times the number of words. */
function concatenates(text: string, words: Set<string>): boolean {
  if (text === '') return false;
  const reached = new Set([0]);
  for (let at = 0; at < text.length; at++) {
    if (!reached.has(at)) continue;
    for (const word of words) if (word !== '' && text.startsWith(word, at)) reached.add(at + word.length);
  }
  return reached.has(text.length);
}
