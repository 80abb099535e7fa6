/** One line for each finished request, also for those that never reached a route. */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Log } from './log.ts';
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
const MAX_PATH = 200;

/** For `createFront({ observe })`. */
export function requestLog({ log, quietPaths = [], onFinished }: RequestLogOptions) {
  const quiet = new Set(quietPaths);
  return (req: IncomingMessage, res: ServerResponse): void => {
    const path = (req.url ?? '').split('?', 1)[0] as string;
    res.once('close', () => {
      const { id, address, startedAt } = requestContext(req);
      const ms = performance.now() - startedAt;
      onFinished?.({ method: req.method ?? '', path, status: res.statusCode, seconds: ms / 1000 });
      const line = {
        method: req.method,
        path: shortPath(path),
        status: res.statusCode,
        ms: Math.round(ms * 10) / 10,
        request_id: id,
        address,
        ...(!res.writableFinished && { aborted: true }),
      };
      if (res.statusCode >= 500) log.warn(line, 'request');
      else if (quiet.has(path)) log.debug(line, 'request');
      else log.info(line, 'request');
    });
  };
}

function shortPath(path: string): string {
  const masked = path.slice(0, MAX_PATH).replace(LONG_SEGMENT, '/$1…');
  return path.length > MAX_PATH ? `${masked}…` : masked;
}
