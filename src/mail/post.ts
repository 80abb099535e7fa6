/** Renders a mail's template and hands it to the mailer: what the outbox delivers. Knows no feature. */
import type { Mailer } from './mailer.ts';

export interface MailJob {
  /** A template's name; `none` is the decoy of an unknown address and sends nothing. */
  template: string;
  to: string;
  locale: string | null;
  data: Record<string, unknown>;
}

export interface PostOptions {
  mailer: Mailer;
  render(locale: string | null, template: string, data: object): { subject: string; text: string; html: string };
}

export function createPost({ mailer, render }: PostOptions) {
  return async (job: MailJob, { id, signal }: { id: string; signal?: AbortSignal }): Promise<void> => {
    if (job.template === 'none') return;
    await mailer.send({ id, to: job.to, ...render(job.locale, job.template, job.data) }, signal);
  };
}
