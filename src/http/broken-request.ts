/** The whole answer to bytes that are no HTTP request: nothing was parsed, so it is written to the socket as it is. */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import { BARE_HEADERS } from './refusal.ts';

/** Node's error code -> status and words. */
const WORDS: Record<string, [status: number, detail: string]> = {
  HPE_HEADER_OVERFLOW: [431, 'The address and headers of the request are too long. Shorten them, or delete cookies.'],
  HPE_CHUNK_EXTENSIONS_OVERFLOW: [413, 'The chunk extensions of the request are too long.'],
  ERR_HTTP_REQUEST_TIMEOUT: [408, 'The request did not arrive completely in time.'],
  CONNECT: [405, 'This server is no proxy: the method CONNECT is not used here.'],
};

const OTHER: [number, string] = [400, 'This is not a well-formed HTTP/1.1 request.'];

/** `code` is the `code` of Node's `clientError`, or CONNECT. */
export function brokenRequest(code: string | undefined): string {
  const [status, detail] = WORDS[code ?? ''] ?? OTHER;
  const body = `${status} ${STATUS_CODES[status]}\n\n${detail}\n`;
  const headers: Record<string, string | number> = {
    ...BARE_HEADERS,
    'Content-Type': 'text/plain; charset=utf-8',
    'Content-Length': Buffer.byteLength(body),
    Connection: 'close',
    'X-Request-ID': randomUUID(),
  };
  const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}`);
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\n${lines.join('\r\n')}\r\n\r\n${body}`;
}
