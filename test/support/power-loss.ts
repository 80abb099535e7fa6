/**
 * A loss of power, for a process that runs on: what the file system promised to keep is kept, the rest is at its mercy.
 * The notes of power-loss.c say what was written, and when the process had waited for the disk.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { compiler } from './tools.ts';

const source = fileURLToPath(new URL('power-loss.c', import.meta.url));
const SECTOR = 512;

/** What comes back of what nobody waited for: nothing of it, or each sector and each step as chance will have it. */
export type Mercy = 'nothing' | 'anything';

export interface PowerLine {
  /** For the processes whose power it is. */
  env: Record<string, string>;
  /** The files are safe as they are; from here on is noted. No process may be running. */
  on(): void;
  /** From here on, or no longer, the disk fails whoever waits for it. */
  fail(failing: boolean): void;
  /** Leaves of the files what the loss leaves. Every process must be dead. @returns what was lost. */
  off(mercy: Mercy): { writes: number; syncs: number };
}

/** @param file the database; the files that SQLite lays beside it have names that begin with its name.
 * @param waitMs so long each wait for the disk takes at least. */
export function powerLine(t: TestContext, file: string, waitMs = 0): PowerLine {
  const dir = mkdtempSync(join(tmpdir(), 'latchkey-power-'));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  const [library, log, fault] = [join(dir, 'power-loss.so'), join(dir, 'notes'), join(dir, 'fault')];
  const [program, flags] = compiler();
  execFileSync(program, [...flags, '-shared', '-nostdlib', '-o', library, source]);
  let disk: Disk;
  return {
    env: {
      LD_PRELOAD: library,
      ...{ POWER_FILE: file, POWER_LOG: log, DISK_FAULT: fault, DISK_WAIT: String(waitMs * 1000) },
    },
    on() {
      rmSync(log, { force: true });
      disk = createDisk(filesOf(file));
    },
    fail(failing) {
      if (failing) writeFileSync(fault, '');
      else rmSync(fault, { force: true });
    },
    off(mercy) {
      for (const note of notesIn(readFileSync(log))) disk.take(note);
      const { files, ...lost } = disk.lose(mercy);
      for (const name of filesOf(file).keys()) rmSync(join(dirname(file), name));
      rmSync(`${file}-shm`, { force: true });
      for (const [name, bytes] of files) writeFileSync(join(dirname(file), name), bytes);
      return lost;
    },
  };
}

function filesOf(file: string): Map<string, Buffer> {
  const folder = dirname(file);
  const names = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  const ours = names.filter((name) => name.startsWith(file) && !name.endsWith('-shm'));
  return new Map(ours.map((name) => [name.slice(folder.length + 1), readFileSync(name)]));
}

interface Note {
  what: 'O' | 'W' | 'T' | 'U' | 'B' | 'E' | 'F';
  name: string;
  /** Where in the file; the new length; the descriptor that waits. */
  at: number;
  bytes: Buffer;
}

export function* notesIn(log: Buffer): Generator<Note> {
  for (let place = 0; place < log.length; ) {
    const end = log.indexOf(10, place);
    const [what, at, length, ...name] = log.toString('utf8', place, end).split(' ');
    const size = what === 'W' ? Number(length) : 0;
    const bytes = log.subarray(end + 1, end + 1 + size);
    // The last note may be cut: the process was killed in it.
    if (end < 0 || bytes.length < size) return;
    yield { what: what as Note['what'], name: name.join(' '), at: Number(at), bytes };
    place = end + 1 + size;
  }
}

interface Step {
  number: number;
  at: number;
  /** A cut to the length `at`, when there are none. */
  bytes: Buffer | undefined;
}

interface File {
  safe: Content;
  /** Its name in the folder is safe, too. */
  named: boolean;
  steps: Step[];
}

/** The disk, which keeps what somebody waited for, and the folder, whose entries are changes like any other. */
export function createDisk(begun: Map<string, Buffer>) {
  const now = new Map<string, File>();
  for (const [name, safe] of begun) now.set(name, { safe: contentOf(safe), named: true, steps: [] });
  /** Removed, as long as nobody waited for the folder. */
  const removed = new Map<string, File>();
  const waits = new Map<string, number>();
  let number = 0;
  let syncs = 0;

  function ended(name: string, since: number): void {
    syncs += 1;
    if (name === '.') {
      for (const file of now.values()) file.named = true;
      removed.clear();
      return;
    }
    const file = now.get(name);
    if (!file) return;
    for (const step of file.steps) if (step.number < since) apply(file.safe, step);
    file.steps = file.steps.filter((step) => step.number >= since);
    // A file system that keeps the content keeps the name that leads to it.
    file.named = true;
    removed.delete(name);
  }

  return {
    take({ what, name, at, bytes }: Note): void {
      number += 1;
      if (what === 'B') waits.set(`${name} ${at}`, number);
      else if (what === 'E') ended(name, waits.get(`${name} ${at}`) ?? 0);
      else if (what === 'U') {
        const file = now.get(name);
        if (file?.named) removed.set(name, file);
        now.delete(name);
      } else {
        const file = now.get(name) ?? { safe: contentOf(Buffer.alloc(0)), named: false, steps: [] };
        now.set(name, file);
        if (what === 'W') file.steps.push({ number, at, bytes });
        // A system that told of its failure takes what it could not write for done (fsync(2), PostgreSQL's “fsyncgate”).
        if (what === 'F') file.steps = file.steps.filter((step) => !step.bytes);
        if (what === 'T') file.steps.push({ number, at, bytes: undefined });
      }
    },

    lose(mercy: Mercy): { files: Map<string, Buffer>; writes: number; syncs: number } {
      const spared = () => mercy === 'anything' && Math.random() < 0.5;
      const files = new Map<string, Buffer>();
      for (const [name, file] of removed) if (!spared()) files.set(name, bytesOf(file.safe));
      for (const [name, file] of now) {
        for (const step of file.steps.flatMap(sectors)) if (spared()) apply(file.safe, step);
        if (file.named || spared()) files.set(name, bytesOf(file.safe));
      }
      const writes = [...now.values()].reduce((sum, { steps }) => sum + steps.length, 0);
      return { files, writes, syncs };
    },
  };
}

type Disk = ReturnType<typeof createDisk>;

/** A disk writes sectors whole, in the order that pleases it. */
function sectors(step: Step): Step[] {
  const { bytes, at } = step;
  if (!bytes) return [step];
  const parts: Step[] = [];
  for (let from = 0; from < bytes.length; ) {
    const to = Math.min(bytes.length, from + SECTOR - ((at + from) % SECTOR));
    parts.push({ ...step, at: at + from, bytes: bytes.subarray(from, to) });
    from = to;
  }
  return parts;
}

/** Bytes that grow at their end. */
interface Content {
  room: Buffer;
  length: number;
}

const contentOf = (bytes: Buffer): Content => ({ room: Buffer.from(bytes), length: bytes.length });
const bytesOf = ({ room, length }: Content): Buffer => room.subarray(0, length);

function apply(content: Content, { at, bytes }: Step): void {
  const end = bytes ? at + bytes.length : at;
  if (end > content.room.length) content.room = Buffer.concat([bytesOf(content)], 2 * end);
  if (!bytes || at > content.length) content.room.fill(0, Math.min(at, content.length), Math.max(at, content.length));
  bytes?.copy(content.room, at);
  content.length = bytes ? Math.max(content.length, end) : at;
}
