/** One line for each finished request, also for those that never reached a route. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from './log.ts';
import { cleanText } from './redact.ts';
import { requestContext } from './request-context.ts';

export interface RequestLogOptions {
  log: Pick<Log, 'info' | 'warn' | 'debug'>;
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
const MAX_PATH = 200;

/** An object with a class is left as it is by the log, which looks through any other: what it holds is clean. */
class RequestLine {
  readonly method: string | undefined;
  readonly path: string;
  readonly status: number;
  readonly ms: number;
  readonly request_id: string;
  readonly address: string;
  declare aborted?: true;

  constructor(method: string | undefined, path: string, status: number, ms: number, id: string, address: string) {
    this.method = method && cleanText(method);
    this.path = cleanText(shortPath(path));
    this.status = status;
    this.ms = Math.round(ms * 10) / 10;
    this.request_id = id;
    this.address = address;
  }
}

/** For `createFront({ observe })`. */
export function requestLog({ log, quietPaths = [], onFinished }: RequestLogOptions) {
  const quiet = new Set(quietPaths);
  return (req: IncomingMessage, res: ServerResponse): void => {
    const url = req.url ?? '';
    const question = url.indexOf('?');
    const path = question < 0 ? url : url.slice(0, question);
    res.once('close', () => {
      const { id, address, startedAt } = requestContext(req);
      const ms = performance.now() - startedAt;
      onFinished?.({ method: req.method ?? '', path, status: res.statusCode, seconds: ms / 1000 });
      const line = new RequestLine(req.method, path, res.statusCode, ms, id, address);
      if (!res.writableFinished) line.aborted = true;
      if (res.statusCode >= 500) log.warn(line, 'request');
      else if (quiet.has(path)) log.debug(line, 'request');
      else log.info(line, 'request');
    });
  };
}

function shortPath(path: string): string {
  if (path.length < SHORTEST_MASKED) return path;
  const masked = path.slice(0, MAX_PATH).replace(LONG_SEGMENT, '/$1…');
  return path.length > MAX_PATH ? `${masked}…` : masked;
}
