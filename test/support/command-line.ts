/** The command line on a data folder of its own: in this process with the real services, or as a process. */
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import pino from 'pino';
import { createProgram } from '../../src/cli/program.ts';
import type { ProgramOptions } from '../../src/cli/services.ts';
import { loadConfigFile, NO_CONFIG_FILE } from '../../src/config/file.ts';
import { loadSettings } from '../../src/config/settings.ts';
import { openForCommand } from '../../src/open.ts';
import { openServices, type Services } from '../../src/services.ts';

const LAUNCHER = fileURLToPath(new URL('../../bin/latchkey.js', import.meta.url));

/** Settings of a production that could be; nobody is asked for a mail. */
export const PRODUCTION: Readonly<Record<string, string>> = {
  LATCHKEY_ISSUER: 'https://login.example.com',
  LATCHKEY_SMTP_URL: 'smtp://127.0.0.1:1',
  LATCHKEY_MAIL_FROM: 'Latchkey <no-reply@example.com>',
  LATCHKEY_ARGON2_MEMORY_KIB: '19456',
  LATCHKEY_ARGON2_PASSES: '2',
};

export interface Said {
  code: number;
  out: string;
  err: string;
  /** The standard output as JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test reads what it asserts.
  json: any;
}

export interface Given {
  /** The standard input. */
  input?: string;
  /** What the person answers; nobody is there when it is left out. */
  answer?: string;
}

export interface CommandLine {
  dataDir: string;
  env: Record<string, string>;
  /** The services on the same data, for what a command can't do. Run a command before, for the schema. */
  within<Result>(work: (services: Services) => Promise<Result>): Promise<Result>;
  /** Runs a command in this process. */
  run(args: string[], given?: Given): Promise<Said>;
  /** Runs it as `node bin/latchkey.js …`. */
  spawn(args: string[], given?: Given & { env?: Record<string, string> }): Promise<Said>;
}

/** Cheap parameters; the algorithm is the real one. */
const SETTINGS = {
  LATCHKEY_ARGON2_MEMORY_KIB: '1024',
  LATCHKEY_ARGON2_PASSES: '1',
  LATCHKEY_ISSUER: 'http://localhost:3999',
  LATCHKEY_PORT: '3999',
};

export function commandLine(
  t: TestContext,
  settings: Record<string, string> = {},
  parts: Partial<ProgramOptions> = {},
): CommandLine {
  const dataDir = mkdtempSync(join(tmpdir(), 'latchkey-cli-'));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const key = randomBytes(32).toString('base64');
  const env = { ...SETTINGS, LATCHKEY_DATA_DIR: dataDir, LATCHKEY_SECRET_KEY: key, ...settings };

  return {
    dataDir,
    env,
    async within(work) {
      const services = await openServices(configuration(env, dataDir));
      try {
        return await work(services);
      } finally {
        await services.close();
      }
    },
    async run(args, { input = '', answer } = {}) {
      const said = { out: '', err: '' };
      const code = await createProgram({
        version: '0.0.0-test',
        open: () => openForCommand(configuration(env, dataDir)),
        serve: async () => 0,
        generate: async () => ['.env.example'],
        address: () => ({ host: '127.0.0.1', port: 1 }),
        out: (text) => {
          said.out += text;
        },
        err: (text) => {
          said.err += text;
        },
        ask: answer === undefined ? undefined : async () => answer,
        readInput: async () => input,
        ...parts,
      }).run(args);
      return readable({ code, ...said });
    },
    spawn: (args, given = {}) => {
      const child = spawn('node', [LAUNCHER, ...args], {
        cwd: dataDir,
        env: { PATH: process.env['PATH'], ...env, ...given.env },
      });
      const said = { out: '', err: '' };
      child.stdout.on('data', (chunk) => {
        said.out += chunk;
      });
      child.stderr.on('data', (chunk) => {
        said.err += chunk;
      });
      child.stdin.end(given.input ?? '');
      return new Promise((resolve, reject) => {
        child.once('error', reject);
        child.once('close', (code) => resolve(readable({ code: code ?? -1, ...said })));
      });
    },
  };
}

function configuration(env: Record<string, string>, dataDir: string) {
  const readFile = (path: string) => readFileSync(path, 'utf8');
  const { settings } = loadSettings({ env, cwd: dataDir, readFile });
  const file = settings.configFile ? loadConfigFile(settings.configFile, { env, readFile }) : NO_CONFIG_FILE;
  return { settings, file, log: pino({ level: 'silent' }) };
}

function readable(said: { code: number; out: string; err: string }): Said {
  return {
    ...said,
    get json() {
      return JSON.parse(said.out);
    },
  };
}
