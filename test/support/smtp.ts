/** A real SMTP server for tests, on a free port of this machine. */
import type { AddressInfo } from 'node:net';
import type { TestContext } from 'node:test';
import { type ParsedMail, simpleParser } from 'mailparser';
import { SMTPServer, type SMTPServerOptions } from 'smtp-server';

export interface Received {
  from: string;
  to: string[];
  secure: boolean;
  user: string | undefined;
  raw: string;
  mail: ParsedMail;
}

/** Takes everything unless the options say otherwise; `port` to connect to, `received` oldest first. */
export async function startSmtp(t: TestContext, options: SMTPServerOptions = {}, at = 0) {
  const received: Received[] = [];
  const server = new SMTPServer({
    authOptional: true,
    logger: false,
    async onData(stream, session, done) {
      const chunks: Buffer[] = [];
      for await (const chunk of stream) chunks.push(chunk as Buffer);
      const raw = Buffer.concat(chunks).toString();
      const { mailFrom, rcptTo } = session.envelope;
      received.push({
        from: mailFrom ? mailFrom.address : '',
        to: rcptTo.map(({ address }) => address),
        secure: session.secure,
        user: session.user,
        raw,
        mail: await simpleParser(raw),
      });
      done();
    },
    ...options,
  });
  // A client that breaks off is what several tests are about.
  server.on('error', () => undefined);
  await new Promise<void>((resolve) => server.listen(at, '0.0.0.0', resolve));
  t.after(() => new Promise<void>((resolve) => server.close(resolve)));
  const { port } = server.server.address() as AddressInfo;
  return { port, received, server };
}
