/** Sends requests byte by byte as they are given, and judges that what came back is a decent refusal. */
import assert from 'node:assert/strict';
import http from 'node:http';
import type { Door, Stage } from './doors.ts';
import { SIGNED_OUT } from './doors.ts';
import { CALLBACK } from './flow.ts';

export interface Sent {
  method?: string;
  path: string;
  headers?: http.OutgoingHttpHeaders;
  body?: string | Buffer | undefined;
}

export interface Answered {
  status: number;
  headers: http.IncomingHttpHeaders;
  text: string;
}

const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });

/** One request, nothing normalized on the way, no redirect followed. Rejects when no answer came. */
export function send(stage: Pick<Stage, 'app'>, sent: Sent): Promise<Answered> {
  const { hostname, port } = new URL(stage.app.url);
  return new Promise((resolve, reject) => {
    const { method = 'GET', path, headers = {}, body } = sent;
    const measured = body !== undefined && !('transfer-encoding' in headers);
    const length = measured ? { 'content-length': Buffer.byteLength(body) } : {};
    const request = http.request(
      { hostname, port, method, path, agent, headers: { host: `${hostname}:${port}`, ...length, ...headers } },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () =>
          resolve({
            status: response.statusCode as number,
            headers: response.headers,
            text: Buffer.concat(chunks).toString(),
          }),
        );
      },
    );
    request.setTimeout(10_000, () =>
      request.destroy(new Error(`no answer within 10 s: ${method} ${path.slice(0, 200)}`)),
    );
    request.on('error', reject);
    request.end(body);
  });
}

export type Pair = [name: string, value: string];

export const FORM = 'application/x-www-form-urlencoded';

/** Pairs whose encoding is exactly what is given. */
export const rawPairs = (pairs: Pair[]) => pairs.map(([name, value]) => `${name}=${value}`).join('&');

export const encoded = (pairs: Pair[]): Pair[] =>
  pairs.map(([name, value]) => [encodeURIComponent(name), encodeURIComponent(value)]);

export const pairsOf = (door: Door): Pair[] => Object.entries(door.params);

/** The request of a door with its parameters as this raw text, where they belong. */
export function through(stage: Stage, door: Door, text: string, headers: http.OutgoingHttpHeaders = {}) {
  if (door.place === 'query') {
    const path = text === '' ? door.path : `${door.path}?${text}`;
    return send(stage, { method: door.method, path, headers: { ...door.headers, ...headers } });
  }
  const type = door.place === 'form' ? FORM : 'application/json';
  return send(stage, {
    method: door.method,
    path: door.path,
    headers: { ...door.headers, 'content-type': type, ...headers },
    body: text,
  });
}

/** No bug of ours, no secret of the inside, no way out to where nobody registered. */
export function assertSafe(stage: Stage, answer: Answered, what: string): void {
  const { status, headers, text } = answer;
  assert.ok(status < 500, `${what}: ${status} ${text.slice(0, 600)}`);
  assert.ok(!/\n\s+at |node_modules|\.[jt]s:\d+/.test(text), `${what}: a stack trace in ${text.slice(0, 600)}`);
  assert.match(String(headers['x-request-id']), /./, `${what}: an id of the request`);
  const { location } = headers;
  if (location === undefined) return;
  const target = new URL(location, stage.app.url);
  const allowed = [CALLBACK, SIGNED_OUT].includes(target.origin + target.pathname) || target.origin === stage.app.url;
  assert.ok(allowed, `${what}: sent to ${location}`);
}

/** A 4xx in the format of the endpoint, with words; returns these words. */
export function assertRefusal(stage: Stage, door: Pick<Door, 'format'>, answer: Answered, what: string): string {
  assertSafe(stage, answer, what);
  const { status, headers, text } = answer;
  assert.ok(status >= 400, `${what}: not refused but ${status} ${headers.location ?? text.slice(0, 300)}`);
  const type = String(headers['content-type']);
  if (door.format === 'page') {
    assert.match(type, /^text\/html|^text\/plain/, `${what}: ${text.slice(0, 200)}`);
    return text;
  }
  const body = JSON.parse(text);
  const words = door.format === 'oauth' ? body.error_description : body.detail;
  assert.match(type, door.format === 'oauth' ? /^application\/json/ : /^application\/problem\+json/, what);
  assert.match(String(door.format === 'oauth' ? body.error : body.code), /^[a-z_]+$/, what);
  assert.ok(String(words).length > 15 && String(words) !== 'undefined', `${what}: no words in ${text}`);
  return `${String(words)} ${JSON.stringify(body.errors ?? [])}`;
}

/** What the authorization endpoint says in the address of the way back (RFC 6749 section 4.1.2.1). */
export function errorInRedirect(answer: Answered): string | undefined {
  return answer.headers.location
    ? (new URL(answer.headers.location, 'http://x').searchParams.get('error') ?? undefined)
    : undefined;
}

/** Nothing of all that was a bug of ours: no line of level error, no polluted prototype, and the server goes on. */
export function assertQuiet({ log }: Stage): void {
  const errors = log.filter((line) => JSON.parse(line).level >= 50);
  assert.deepEqual(errors, []);
  assert.deepEqual(Object.keys(Object.prototype), []);
}
