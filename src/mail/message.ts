/**
 * The last look at a mail before it leaves: exactly one address, and headers that can't be broken out of. The packages
 * below parse addresses in whatever they are given; what passes here has nothing to parse.
 */
import { type Mail, MailError } from './mailer.ts';

export interface Sender {
  name: string;
  address: string;
}

/** A dot-atom of RFC 5322 at a host name, or a single label for development. */
const ADDRESS = /^[\w!#$%&'*+/=?^`{|}~-]+(?:\.[\w!#$%&'*+/=?^`{|}~-]+)*@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?$/;
const MAX_ADDRESS = 254;
const ID = /^[\w.-]{1,200}$/;
const FROM = /^(?:"?([^"<>\p{Cc}]*?)"?\s*<([^<>]*)>|([^<>\s]*))$/u;

/** `Latchkey <no-reply@example.com>`, `"Latchkey" <…>`, or the address alone. @throws Error in words for the operator. */
export function parseSender(from: string): Sender {
  const [, name = '', bracketed, bare] = FROM.exec(from.trim()) ?? [];
  const address = bracketed ?? bare ?? '';
  if (!isAddress(address)) {
    throw new Error(`"${from}" is not a sender. Write it like: Latchkey <no-reply@example.com>`);
  }
  return { name: name.trim(), address };
}

/** The mail as it may leave. @throws MailError permanent for an address or id that never passes. */
export function safeMail(mail: Mail): Mail {
  if (!isAddress(mail.to)) throw refused('The address of the receiver is not exactly one plain address.');
  if (!ID.test(mail.id)) throw refused('The id of the mail has characters that a Message-ID can not carry.');
  return { ...mail, subject: mail.subject.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, ' ').trim() };
}

function isAddress(address: string): boolean {
  return address.length <= MAX_ADDRESS && ADDRESS.test(address);
}

const refused = (message: string) => new MailError(message, { permanent: true });
