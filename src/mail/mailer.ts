/** What sends mail, whoever does it. Knows no template and no account. */

export interface Mail {
  /** Stays the same when a mail is sent again, so that receivers can tell a repetition. */
  id: string;
  /** One stored, canonical address. */
  to: string;
  subject: string;
  text: string;
  html: string;
}

export interface Mailer {
  /** Resolves when the next server has taken the mail; gives up and closes its connection when `signal` aborts.
   * @throws MailError. */
  send(mail: Mail, signal?: AbortSignal): Promise<void>;
  /** Whether a mail could be sent now. @throws MailError. */
  verify(): Promise<void>;
  /** Resolves when what is under way has ended. */
  close(): Promise<void>;
}

export class MailError extends Error {
  /** The receiving side has refused this mail for good: sending it again would not help. */
  readonly permanent: boolean;

  constructor(message: string, { permanent, cause }: { permanent: boolean; cause?: unknown }) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'MailError';
    this.permanent = permanent;
  }
}
