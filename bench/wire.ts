/**
 * One keep-alive connection of HTTP/1.1, one request at a time: what a load generator needs and nothing more, because
 * it runs on the machine that it measures. Knows lengths and chunks, no compression, no redirects.
 */
import { connect, type Socket } from 'node:net';

export interface Call {
  method?: 'GET' | 'POST';
  path: string;
  headers?: Record<string, string>;
  /** Sent as a form. */
  form?: Record<string, string>;
}

export interface Answer {
  status: number;
  /** Names in lower case; of a repeated header the last value. */
  headers: Record<string, string>;
  body: string;
}

export interface Wire {
  call(call: Call): Promise<Answer>;
  close(): void;
}

const END_OF_HEAD = Buffer.from('\r\n\r\n');

/** @param through the origin that is connected to, when it is another instance than the one that is named. */
export function createWire(origin: string, through = origin): Wire {
  const { host } = new URL(origin);
  const { hostname, port } = new URL(through);
  let socket: Socket | undefined;

  async function opened(): Promise<Socket> {
    if (socket && !socket.destroyed && socket.writable) return socket;
    const fresh = connect({
      host: hostname === 'localhost' ? '127.0.0.1' : hostname,
      port: Number(port),
      noDelay: true,
    });
    await new Promise<void>((resolve, reject) => fresh.once('connect', resolve).once('error', reject));
    socket = fresh;
    return fresh;
  }

  return {
    async call(call) {
      const connection = await opened();
      const answer = receive(connection);
      connection.write(requestText(host, call));
      const received = await answer;
      if (received.headers['connection'] === 'close') connection.destroy();
      return received;
    },
    close: () => socket?.destroy(),
  };
}

function requestText(host: string, { method = 'GET', path, headers = {}, form }: Call): string {
  const body = form ? new URLSearchParams(form).toString() : '';
  let head = `${method} ${path} HTTP/1.1\r\nhost: ${host}\r\n`;
  for (const name in headers) head += `${name}: ${headers[name]}\r\n`;
  if (form) head += `content-type: application/x-www-form-urlencoded\r\ncontent-length: ${Buffer.byteLength(body)}\r\n`;
  return `${head}\r\n${body}`;
}

function receive(socket: Socket): Promise<Answer> {
  return new Promise((resolve, reject) => {
    let data: Buffer = Buffer.alloc(0);
    const finish = () => {
      socket.off('data', more).off('error', fail).off('close', gone);
    };
    const fail = (error: Error) => {
      finish();
      reject(error);
    };
    const gone = () => fail(new Error('the server closed the connection before its answer was complete'));
    const more = (chunk: Buffer) => {
      data = data.length === 0 ? chunk : Buffer.concat([data, chunk]);
      const answer = parse(data);
      if (!answer) return;
      finish();
      resolve(answer);
    };
    socket.on('data', more).on('error', fail).on('close', gone);
  });
}

/** Undefined while something is missing. */
function parse(data: Buffer): Answer | undefined {
  const end = data.indexOf(END_OF_HEAD);
  if (end < 0) return undefined;
  const [statusLine = '', ...lines] = data.toString('latin1', 0, end).split('\r\n');
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(':');
    headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  const rest = data.subarray(end + 4);
  const body = headers['transfer-encoding'] === 'chunked' ? joined(rest) : whole(rest, headers['content-length']);
  return body === undefined ? undefined : { status: Number(statusLine.slice(9, 12)), headers, body };
}

function whole(data: Buffer, length = '0'): string | undefined {
  return data.length < Number(length) ? undefined : data.toString('utf8', 0, Number(length));
}

function joined(data: Buffer): string | undefined {
  const parts: Buffer[] = [];
  for (let at = 0; ; ) {
    const line = data.indexOf('\r\n', at);
    if (line < 0) return undefined;
    const size = Number.parseInt(data.toString('latin1', at, line), 16);
    if (data.length < line + 4 + size) return undefined;
    if (size === 0) return Buffer.concat(parts).toString();
    parts.push(data.subarray(line + 2, line + 2 + size));
    at = line + 4 + size;
  }
}
