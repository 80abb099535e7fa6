/** One line for each finished request, also for those that never reached a route. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { isoTime, type Log, readyLines } from './log.ts';
import { cleanText } from './redact.ts';
import { requestContext } from './request-context.ts';

export interface RequestLogOptions {
  log: Log;
  /** Paths that are asked every few seconds by probes: logged at level debug. */
  quietPaths?: readonly string[];
  /** Told of each request with its path, for measurements. */
  onFinished?(request: { method: string; path: string; status: number; seconds: number }): void;
}

/**
 * Identifiers in paths may be worth something to a thief (a link of an invitation): six characters are kept. Random
 * ones have a digit or a capital letter; `openid-configuration` has neither.
 */
const LONG_SEGMENT = /\/(?=[^/]*[A-Z\d])([\w-]{6})[\w.~-]{14,}/g;
const SHORTEST_MASKED = 21;
const RANDOM = /[A-Z\d]/;
const MAX_PATH = 200;

interface Finished {
  method: string;
  path: string;
  status: number;
  ms: number;
  id: string;
  address: string;
  aborted: boolean;
}

/** The line as pino would write it, which costs more than many an answer: our own id and a parsed address are clean. */
function lineOf(level: string, { method, path, status, ms, id, address, aborted }: Finished): string {
  const about = `"method":${quoted(method)},"path":${quoted(shortPath(path))},"status":${status}`;
  const when = `"ms":${Math.round(ms * 10) / 10},"request_id":"${id}","address":"${address}"`;
  return `{"level":"${level}","time":"${isoTime()}",${about},${when}${aborted ? ',"aborted":true' : ''},"msg":"request"}\n`;
}

/** Printable ASCII that neither JSON nor `cleanText` writes otherwise. */
const PLAIN = /^[!#-<>-[\]-~]*$/;

const quoted = (text: string): string => (PLAIN.test(text) ? `"${text}"` : JSON.stringify(cleanText(text)));

/** For `createFront({ observe })`. */
export function requestLog({ log, quietPaths = [], onFinished }: RequestLogOptions) {
  const quiet = new Set(quietPaths);
  const write = readyLines(log);
  return (req: IncomingMessage, res: ServerResponse): void => {
    const url = req.url ?? '';
    const question = url.indexOf('?');
    const path = question < 0 ? url : url.slice(0, question);
    res.once('close', () => {
      const { id, address, startedAt } = requestContext(req);
      const ms = performance.now() - startedAt;
      const { method = '' } = req;
      const status = res.statusCode;
      onFinished?.({ method, path, status, seconds: ms / 1000 });
      const level = status >= 500 ? 'warn' : quiet.has(path) ? 'debug' : 'info';
      if (!log.isLevelEnabled(level)) return;
      write(lineOf(level, { method, path, status, ms, id, address, aborted: !res.writableFinished }));
    });
  };
}

function shortPath(path: string): string {
  if (path.length < SHORTEST_MASKED) return path;
  const start = path.slice(0, MAX_PATH);
  const masked = RANDOM.test(start) ? start.replace(LONG_SEGMENT, '/$1…') : start;
  return path.length > MAX_PATH ? `${masked}…` : masked;
}
