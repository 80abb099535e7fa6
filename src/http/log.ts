/** The log: pino, JSON lines on stdout or readable lines on a terminal. What may stand in a line is in redact.ts. */
import { createRequire } from 'node:module';
import pino, { type DestinationStream, type Logger } from 'pino';
import { cleanText, describeError, redact } from './redact.ts';

export type Log = Logger;

export interface LogOptions {
  level: string;
  /** For people at a terminal. */
  pretty: boolean;
  /** Instead of stdout. */
  destination?: DestinationStream;
}

export function createLog({ level, pretty, destination }: LogOptions): Log {
  const options: pino.LoggerOptions = {
    level,
    base: null,
    timestamp: pino.stdTimeFunctions.isoTime,
    serializers: { err: (error) => describeError(error) },
    formatters: {
      level: (label) => ({ level: label }),
      bindings: (bindings) => redact(bindings) as Record<string, unknown>,
      log: (object) => redact(object) as Record<string, unknown>,
    },
    hooks: {
      logMethod(args, method) {
        method.apply(this, args.map((arg) => (typeof arg === 'string' ? cleanText(arg) : arg)) as typeof args);
      },
    },
  };
  if (pretty) return pino(options, prettyStream(destination));
  return destination ? pino(options, destination) : pino(options);
}

/** Loaded only here: a service that writes JSON never pays for it. Synchronous, so that the last words are not lost. */
function prettyStream(destination: DestinationStream | undefined): DestinationStream {
  const pinoPretty = createRequire(import.meta.url)('pino-pretty') as typeof import('pino-pretty');
  return pinoPretty({
    sync: true,
    colorize: destination === undefined,
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
    ...(destination && { destination: destination as never }),
  });
}
