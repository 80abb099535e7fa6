/**
 * The mailbox of development: takes every mail, sends none, and shows what came. With a folder it keeps them in one
 * file of JSON lines, so that a restart loses no code that somebody is about to type.
 */
import {
  appendFileSync,
  chmodSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import type { Mail, Mailer } from './mailer.ts';
import { safeMail } from './message.ts';

export interface CaughtMail extends Mail {
  /** ISO 8601, UTC. */
  at: string;
}

export interface MailboxOptions {
  /** Where `mail.jsonl` lives; without it mails end with the process. */
  dir?: string;
  /** How many of the newest are kept. */
  keep: number;
}

export interface Mailbox extends Mailer {
  /** Oldest first; the caller may change the array. */
  list(): CaughtMail[];
  get(id: string): CaughtMail | undefined;
}

/** Codes and links are in it: nobody but the owner of the process reads the file. */
const MODE = 0o600;

export function createMailbox({ dir, keep }: MailboxOptions): Mailbox {
  const shelf = dir === undefined ? memory() : onDisk(dir, keep);
  const list = () => shelf.read().slice(-keep);
  return {
    async send(mail) {
      const { id, to, subject, text, html } = safeMail(mail);
      // A repeated delivery of the outbox: the mail is here already.
      if (list().some((one) => one.id === id)) return;
      shelf.add({ id, to, subject, text, html, at: new Date().toISOString() });
    },
    async verify() {},
    async close() {},
    list,
    get: (id) => list().find((mail) => mail.id === id),
  };

  function memory(): Shelf {
    let mails: CaughtMail[] = [];
    return {
      read: () => mails,
      add(mail) {
        mails = [...mails, mail].slice(-keep);
      },
    };
  }
}

interface Shelf {
  read(): CaughtMail[];
  add(mail: CaughtMail): void;
}

/** The file is the truth, because a command line beside the server may add to it. */
function onDisk(dir: string, keep: number): Shelf {
  const file = join(dir, 'mail.jsonl');
  let seen = '';
  let mails: CaughtMail[] = [];
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  appendFileSync(file, '', { mode: MODE });
  chmodSync(file, MODE);

  function read(): CaughtMail[] {
    if (!existsSync(file)) return [];
    const { state } = stateOf();
    if (state !== seen) mails = readFileSync(file, 'utf8').split('\n').flatMap(parsed);
    seen = state;
    return mails;
  }

  function stateOf(): { state: string; size: number } {
    const { ino, size, mtimeMs } = statSync(file);
    return { state: `${ino} ${size} ${mtimeMs}`, size };
  }

  /** The line end before it closes a line that a killed process left half-written. */
  function append(line: string, mail: CaughtMail): void {
    const before = stateOf();
    appendFileSync(file, `\n${line}`, { mode: MODE });
    const after = stateOf();
    // Nothing but this line was added: there is no need to read all of them again.
    if (before.state !== seen || after.size !== before.size + Buffer.byteLength(line) + 1) return;
    mails = [...mails, mail];
    seen = after.state;
  }

  return {
    read,
    add(mail) {
      const line = `${JSON.stringify(mail)}\n`;
      const kept = read();
      if (kept.length < 2 * keep) return append(line, mail);
      const lines = kept.slice(1 - keep).map((one) => `${JSON.stringify(one)}\n`);
      writeFileSync(`${file}.new`, [...lines, line].join(''), { mode: MODE });
      renameSync(`${file}.new`, file);
    },
  };
}

/** One mail, or none for an empty or broken line. */
function parsed(line: string): CaughtMail[] {
  if (line === '') return [];
  try {
    return [JSON.parse(line) as CaughtMail];
  } catch {
    return [];
  }
}
