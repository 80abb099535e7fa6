/** Mail over SMTP, encrypted and to a server whose certificate is verified. One connection a mail; repeating is the outbox's. */
import { isIP } from 'node:net';
import { createTransport } from 'nodemailer';
import { type Mail, MailError, type Mailer } from './mailer.ts';
import { parseSender, safeMail } from './message.ts';

export interface SmtpOptions {
  /** `smtps://user:password@host:465` (TLS from the start) or `smtp://…:587` (STARTTLS). Without TLS only to a loopback
   * host, or with `?tls=off`. */
  url: string;
  /** `Name <address>` or an address. */
  from: string;
  log: { debug(fields: object, message: string): void };
  /** PEM certificates to trust instead of the usual ones: a private authority. */
  ca?: string;
  /** Milliseconds; for tests. */
  timeouts?: Partial<Timeouts>;
}

interface Timeouts {
  /** The whole of connecting: look-up, TCP, greeting, TLS. */
  connect: number;
  /** Silence of the server afterwards. */
  idle: number;
}

/** @throws Error in words for the operator when the address of the server or the sender can't be used. */
export function createSmtpMailer(options: SmtpOptions): Mailer {
  const server = serverOf(options.url);
  const from = parseSender(options.from);
  const { connect = 5_000, idle = 10_000 } = options.timeouts ?? {};
  const host = from.address.slice(from.address.lastIndexOf('@') + 1);
  const transport = createTransport({
    ...server,
    connectionTimeout: connect,
    greetingTimeout: connect,
    dnsTimeout: connect,
    socketTimeout: idle,
    tls: { minVersion: 'TLSv1.2', rejectUnauthorized: true, ...(options.ca ? { ca: options.ca } : {}) },
    // A mail is text that we were given: nothing in it makes the package read a file or an address.
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const underWay = new Set<Promise<unknown>>();

  async function send(mail: Mail, signal: AbortSignal | undefined): Promise<void> {
    const { id, to, subject, text, html } = safeMail(mail);
    const message = {
      messageId: `<${id}@${host}>`,
      envelope: { from: from.address, to: [to] },
      from,
      to: { name: '', address: to },
      subject,
      text,
      html,
      // RFC 3834 section 5: out-of-office programs answer no such mail.
      headers: { 'Auto-Submitted': 'auto-generated' },
      ...(signal && { signal }),
    };
    try {
      const { response } = await transport.sendMail(message);
      options.log.debug({ mail: id, response }, 'mail handed over');
    } catch (error) {
      throw failure(error);
    }
  }

  return {
    async send(mail, signal) {
      const sending = send(mail, signal);
      underWay.add(sending);
      try {
        await sending;
      } finally {
        underWay.delete(sending);
      }
    },

    async verify() {
      try {
        await transport.verify();
      } catch (error) {
        throw failure(error);
      }
    },

    /** Takes at most the time-outs of one mail. */
    async close() {
      await Promise.allSettled(underWay);
      transport.close();
    },
  };
}

function serverOf(address: string) {
  const url = URL.parse(address);
  if (!url || !['smtp:', 'smtps:'].includes(url.protocol) || url.hostname === '') {
    throw new Error('The mail server is an address like smtp://user:password@mail.example.com:587 or smtps://…:465');
  }
  const secure = url.protocol === 'smtps:';
  const off = url.searchParams.get('tls') === 'off';
  if (secure && off) throw new Error("A mail server with smtps:// can't have tls=off: write smtp:// instead.");
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const plain = !secure && (off || isLoopback(host.toLowerCase()));
  return {
    host,
    port: url.port === '' ? (secure ? 465 : 587) : Number(url.port),
    secure,
    ignoreTLS: plain,
    requireTLS: !secure && !plain,
    ...(url.username === '' ? {} : { auth: { user: decoded(url.username), pass: decoded(url.password) } }),
  };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    throw new Error('The name or password of the mail server has a % that is not percent-encoded: write it as %25.');
  }
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIP(host) === 4 && host.startsWith('127.');
}

/** Final is only what the server says about this receiver or this mail. A refused sender, sign-in or certificate is the
 * operator's to mend, and the mail waits for that. */
function failure(error: unknown): MailError {
  const {
    command = '',
    responseCode = 0,
    message = '',
  } = error as Partial<{
    command: string;
    responseCode: number;
    message: string;
  }>;
  const aboutMail = command === 'RCPT TO' || command === 'DATA';
  const permanent = aboutMail && responseCode >= 500 && responseCode <= 599 && responseCode !== 530;
  return new MailError(`The mail server did not take the mail: ${message}`, { permanent, cause: error });
}
