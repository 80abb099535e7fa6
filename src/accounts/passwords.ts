/**
 * Passwords become Argon2id hashes and are compared with them, a bounded number at a time. Knows no account and no
 * rule about which password is good (password-policy.ts).
 */
import { randomBytes } from 'node:crypto';
import { availableParallelism } from 'node:os';
import { argon2id, hash as argonHash, verify as argonVerify, needsRehash } from 'argon2';
import { createGate, type GateStats } from './gate.ts';

export interface PasswordsOptions {
  /** Memory of one hash in KiB. */
  memoryKiB?: number;
  passes?: number;
  parallelism?: number;
  /** Hashes at the same time; more than cores only adds delay, also to everything else in the thread pool. */
  concurrency?: number;
  /** Callers that may wait for their turn. */
  queue?: number;
  /** A secret that is not in the database; changing it makes every stored hash useless. */
  pepper?: Buffer;
}

export interface Verdict {
  valid: boolean;
  /** The password is right and its hash has other parameters than new ones get: store `hash(password)`. */
  rehash: boolean;
}

const SALT_BYTES = 16;
const HASH_BYTES = 32;

export interface Passwords {
  /** A PHC string, `$argon2id$v=19$m=…,t=…,p=…$salt$hash`. @throws AppError busy. */
  hash(password: string, signal?: AbortSignal): Promise<string>;
  /** Does the same work for a null hash, which no password fits. @throws AppError busy. */
  verify(hash: string | null, password: string, signal?: AbortSignal): Promise<Verdict>;
  stats(): GateStats;
}

/** OWASP Password Storage Cheat Sheet (19 MiB, two passes, one lane), RFC 9106, NIST SP 800-63B-4 section 3.1.1.2. */
export function createPasswords(options: PasswordsOptions = {}): Passwords {
  const { memoryKiB = 19_456, passes = 2, parallelism = 1, pepper } = options;
  const gate = createGate({ concurrency: options.concurrency ?? availableParallelism(), queue: options.queue ?? 64 });
  const cost = { memoryCost: memoryKiB, timeCost: passes, parallelism };
  const secret = pepper ? { secret: pepper } : {};
  // Random, so that no known password fits; with today's cost, so that checking against it takes as long as any.
  const nobody = phc(cost, randomBytes(SALT_BYTES), randomBytes(HASH_BYTES));
  // NFC and nothing else: a keyboard may send either spelling of an accent, but case and width are the person's choice.
  const bytes = (password: string) => Buffer.from(password.normalize('NFC'), 'utf8');

  async function hashed(password: string): Promise<string> {
    const salt = randomBytes(SALT_BYTES);
    const fixed = { type: argon2id, hashLength: HASH_BYTES, salt, raw: true } as const;
    return phc(cost, salt, await argonHash(bytes(password), { ...cost, ...secret, ...fixed }));
  }

  return {
    hash: (password, signal) => gate.run(() => hashed(password), signal),

    async verify(hash, password, signal) {
      const matches = await gate.run(() => argonVerify(hash ?? nobody, bytes(password), secret), signal);
      const valid = hash !== null && matches;
      return { valid, rehash: valid && (!hash.startsWith('$argon2id$') || needsRehash(hash, cost)) };
    },

    stats: gate.stats,
  };
}

/** The order m, t, p of the reference implementation, whose decoder takes no other; the package writes m, p, t. */
function phc(cost: { memoryCost: number; timeCost: number; parallelism: number }, salt: Buffer, hash: Buffer): string {
  const base64 = (value: Buffer) => value.toString('base64').replaceAll('=', '');
  const parameters = `m=${cost.memoryCost},t=${cost.timeCost},p=${cost.parallelism}`;
  return `$argon2id$v=19$${parameters}$${base64(salt)}$${base64(hash)}`;
}
