/** Secrets of development mode: made once, kept in the data folder, so that a second start signs nobody out. */
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { reason } from './environment.ts';
import { ConfigError } from './fault.ts';
import { secretKeys } from './secrets.ts';

const ABOUT = 'Secrets of development mode. Without this file the database beside it can not be read.';

export interface DevelopmentSecrets {
  /** 32 bytes: the key-encryption key. */
  secretKey: Buffer;
  /** This call made the file. */
  made: boolean;
}

/**
 * Reads `secrets.json` of the data folder, made before if there is none. Of two processes that make it at once, both
 * get the same. @throws ConfigError when it can't be read or written, or is not what was written.
 */
export function ensureDevelopmentSecrets({ dataDir }: { dataDir: string }): DevelopmentSecrets {
  const path = join(dataDir, 'secrets.json');
  const known = read(path);
  return { secretKey: parse(path, known ?? create(dataDir, path)), made: known === undefined };
}

function read(path: string): string | undefined {
  try {
    const text = readFileSync(path, 'utf8');
    if ((statSync(path).mode & 0o077) !== 0) chmodSync(path, 0o600);
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw new ConfigError([
      {
        name: path,
        problem: `can't be read (${reason(error)})`,
        expected: 'a file that this user may read and change',
      },
    ]);
  }
}

/** A complete file appears under its name at once, or not at all, and never over another one. */
function create(dataDir: string, path: string): string {
  const draft = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 });
    const file = openSync(draft, 'wx', 0o600);
    writeFileSync(
      file,
      `${JSON.stringify({ about: ABOUT, secret_key: randomBytes(32).toString('base64') }, null, 2)}\n`,
    );
    fsyncSync(file);
    closeSync(file);
    try {
      linkSync(draft, path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    } finally {
      unlinkSync(draft);
    }
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError([
      {
        name: path,
        problem: `can't be written (${reason(error)})`,
        expected: 'a data folder (LATCHKEY_DATA_DIR) that this user may write',
      },
    ]);
  }
}

function parse(path: string, text: string): Buffer {
  try {
    const [secretKey] = secretKeys((JSON.parse(text) as { secret_key: string }).secret_key);
    if (secretKey) return secretKey;
  } catch {
    // Whatever is wrong with it, the remedy is the same; the parser's words could quote the secret.
  }
  throw new ConfigError([
    {
      name: path,
      problem: 'is not the file that an earlier start has written',
      expected: 'its content from a backup; or delete it together with latchkey.db beside it, which begins anew',
    },
  ]);
}
