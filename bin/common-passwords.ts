/**
 * Prints src/accounts/common-passwords.txt: the common passwords of @zxcvbn-ts/language-common that some policy would
 * let through by their length, and what people make of the most common ones to reach twelve characters.
 * docs/passwords.md states the rules and the counts. Run: node bin/common-passwords.ts > src/accounts/common-passwords.txt
 */
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

/** The shortest that any policy allows, and the shortest that the default policy allows. */
const SHORT = 8;
const LONG = 12;
const MAX_DERIVED = 24;
const YEARS = Array.from({ length: 21 }, (_, index) => String(2010 + index));
const COUNTS = ['1', '12', '123', '1234', '12345', '123456', '1234567', '12345678', '123456789', '1234567890'];
const ENDINGS = [...COUNTS, ...YEARS, '321', '4321', '007', '123123', '1111', '0000'];
const MARKS = ['', '!', '.', '@', '#'];
const SEASONS = ['spring', 'summer', 'autumn', 'fall', 'winter'];
const MONTHS = 'january february march april may june july august september october november december'.split(' ');
const DAYS = 'monday tuesday wednesday thursday friday saturday sunday'.split(' ');
/** Words of set-ups and manuals, which lists of people's passwords rank too low. */
const SETUP = [
  ...['admin', 'administrator', 'changeme', 'default', 'welcome', 'letmein', 'secret', 'passphrase', 'p@ssword'],
  ...['p@ssw0rd', 'passw0rd', 'root', 'guest', 'login', 'correcthorsebatterystaple', 'trustno1', 'iloveyou'],
];
const WALKS = [
  'qwertyuiopasdfghjklzxcvbnm',
  'qwertzuiopasdfghjklyxcvbnm',
  'azertyuiopqsdfghjklmwxcvbn',
  'abcdefghijklmnopqrstuvwxyz',
  '1234567890123456789012345678901234567890',
  '1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p',
  '1q2w3e4r5t6y7u8i9o0p',
  'q1w2e3r4t5y6u7i8o9p0',
  'qazwsxedcrfvtgbyhnujmikolp',
  'zaq1xsw2cde3vfr4bgt5nhy6mju7',
  'a1b2c3d4e5f6g7h8i9j0',
  '1a2b3c4d5e6f7g8h9i0j',
  'qweasdzxcrtyfghvbn',
  'asdfghjklqwertyuiop',
  '123qweasdzxc456rtyfghvbn',
  '1234qwerasdfzxcv',
];

const lengthOf = (text: string) => [...text].length;
const reversed = (text: string) => [...text].reverse().join('');

/** Every distinct entry, in lower case, sorted by code units. `ranked` is most common first. */
export function commonPasswords(ranked: string[]): string[] {
  const found = new Set<string>(SETUP.filter((entry) => lengthOf(entry) >= SHORT));
  const add = (text: string, least: number) => {
    if (lengthOf(text) >= least && lengthOf(text) <= MAX_DERIVED) found.add(text);
  };
  for (const entry of ranked) if (lengthOf(entry) >= SHORT) found.add(entry);
  const first = [...new Set([...SETUP, ...ranked])];
  for (const text of [...repeats(first), ...endings(first), ...pairs(first), ...walks()]) add(text, LONG);
  for (const text of [...calendar(), ...monotony(first)]) add(text, SHORT);
  return [...found].sort();
}

/** The 2,000 most common, repeated until they are long enough. */
function repeats(ranked: string[]): string[] {
  return ranked.slice(0, 2000).map((text) => text.repeat(Math.max(2, Math.ceil(LONG / lengthOf(text)))));
}

/** One letter, digit or mark, and groups of two or three that are common passwords or begin a walk, again and again. */
function monotony(ranked: string[]): string[] {
  const ones = [...'abcdefghijklmnopqrstuvwxyz0123456789', ...' !.,-_*#@$?+'];
  const groups = WALKS.flatMap((walk) => [walk.slice(0, 2), walk.slice(0, 3)]);
  const short = ranked.filter((text) => lengthOf(text) === 2 || lengthOf(text) === 3);
  return [...ones, ...groups, ...short].flatMap((text) =>
    Array.from({ length: MAX_DERIVED - SHORT + 1 }, (_, extra) => text.repeat(MAX_DERIVED).slice(0, SHORT + extra)),
  );
}

/** The 300 most common that end in a letter with a count or year around them; the first 30 with a mark as well. */
function endings(ranked: string[]): string[] {
  const words = ranked.filter((text) => /[a-z]$/.test(text) && lengthOf(text) >= 5).slice(0, 300);
  const plain = words.flatMap((word) => [
    ...ENDINGS.flatMap((ending) => [word + ending, `${word}${ending}!`]),
    ...COUNTS.map((count) => count + word),
  ]);
  const marked = words
    .slice(0, 30)
    .flatMap((word) =>
      ENDINGS.flatMap((ending) => MARKS.flatMap((mark) => [word + ending + mark, word + mark + ending])),
    );
  return [...plain, ...marked];
}

/** Two of the 50 most common words, one after the other. */
function pairs(ranked: string[]): string[] {
  const words = ranked.filter((text) => /^[a-z]{4,}$/.test(text)).slice(0, 50);
  return words.flatMap((first) => words.map((second) => first + second));
}

/** Seasons, months and days with a year, as forced changes of passwords taught people. */
function calendar(): string[] {
  const names = [...SEASONS, ...MONTHS, ...DAYS];
  return names.flatMap((name) =>
    YEARS.flatMap((year) => MARKS.flatMap((mark) => [name + year + mark, name + mark + year])),
  );
}

/** Stretches of keyboard rows, columns and the alphabet, in both directions. */
function walks(): string[] {
  return WALKS.flatMap((walk) => [walk, reversed(walk)]).flatMap((walk) =>
    Array.from(walk, (_, start) => walk.slice(start)).flatMap((rest) =>
      Array.from({ length: Math.max(0, rest.length - LONG + 1) }, (_, extra) => rest.slice(0, LONG + extra)),
    ),
  );
}

/** The installed list, most common first. */
export function rankedList(): string[] {
  const require = createRequire(import.meta.url);
  return require('@zxcvbn-ts/language-common').dictionary['passwords-common'];
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  process.stdout.write(`${commonPasswords(rankedList()).join('\n')}\n`);
}
