/** The log: pino, JSON lines on stdout or readable lines on a terminal. What may stand in a line is in redact.ts. */
import { createRequire } from 'node:module';
import { Writable } from 'node:stream';
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
    timestamp,
    serializers: { err: (error) => describeError(error) },
    formatters: {
      level: (label) => ({ level: label }),
      log: (object) => redact(object) as Record<string, unknown>,
    },
    hooks: {
      logMethod(args, method) {
        method.apply(this, args.map((arg) => (typeof arg === 'string' ? cleanText(arg) : arg)) as typeof args);
      },
    },
  };
  const stream = pretty ? prettyStream(destination) : destination;
  return cleanChildren(pino(options, stream ?? standardOutput()));
}

/** As pino's `isoTime`. */
const timestamp = (): string => `,"time":"${isoTime()}"`;

let second = Number.NaN;
let upToSecond = '';

/** As `new Date().toISOString()`; moments of one second share most of the text. */
export function isoTime(): string {
  const now = Date.now();
  const of = Math.floor(now / 1000);
  if (of !== second) {
    second = of;
    upToSecond = new Date(of * 1000).toISOString().slice(0, -4);
  }
  return `${upToSecond}${String(now - of * 1000).padStart(3, '0')}Z`;
}

/** Writes lines that are put together and cleaned already, without what pino does to each. */
export function readyLines(log: Log): (line: string) => void {
  const stream = (log as unknown as Record<symbol, DestinationStream>)[pino.symbols.streamSym] as DestinationStream;
  return (line) => stream.write(line);
}

/** pino's formatters don't see the bindings of a child; children inherit this method from their parent. */
function cleanChildren(log: Log): Log {
  const { child } = log;
  log.child = function cleanChild(this: Log, bindings: object, options?: object) {
    return child.call(this, redact(bindings) as object, options);
  } as Log['child'];
  return log;
}

/** Lines that a stuck reader does not take are dropped beyond this many bytes, rather than holding up the service. */
const MOST_WAITING_BYTES = 4 * 1024 * 1024;

/** Lines wait for each other until there are so many bytes, or so long. */
const FULL_BYTES = 32 * 1024;
const FLUSH_MS = 50;

/** Not synchronous: a reader that stopped reading must not stop the process. One that is gone is no error. */
function standardOutput(): DestinationStream {
  const stream = pino.destination({
    dest: 1,
    sync: false,
    maxLength: MOST_WAITING_BYTES,
    // Each write goes through a thread: lines of one moment share it.
    minLength: FULL_BYTES,
    maxWrite: 2 * FULL_BYTES,
    periodicFlush: FLUSH_MS,
  });
  // At the end of the process it would try for ever to write to a reader that is gone; `flush` before the end does
  // what it is for.
  stream.flushSync = () => {};
  stream.on('error', () => {});
  return stream;
}

/** Loaded only here: a service that writes JSON never pays for it. Synchronous, so that the last words are not lost. */
function prettyStream(destination: DestinationStream | undefined): DestinationStream {
  const pinoPretty = createRequire(import.meta.url)('pino-pretty') as typeof import('pino-pretty');
  return pinoPretty({
    sync: true,
    colorize: destination === undefined,
    translateTime: 'SYS:HH:MM:ss',
    singleLine: true,
    ...(destination && { destination: writable(destination) }),
  });
}

function writable(destination: DestinationStream): Writable {
  return new Writable({
    write(chunk, _encoding, done) {
      destination.write(String(chunk));
      done();
    },
  });
}
