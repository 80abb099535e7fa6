/** `latchkey mail test`: one mail straight to the server, so that its answer is seen here. */
import { randomUUID } from 'node:crypto';
import type { Command } from 'commander';
import { canonicalEmail } from '../accounts/email.ts';
import { Unavailable, UsageFault } from './failure.ts';
import { example } from './help.ts';
import type { Flags, Running } from './running.ts';

export function addMailCommands(program: Command, running: Running): void {
  program
    .command('mail')
    .description('the way to the mail server')
    .helpCommand(false)
    .command('test')
    .description('send a mail and say what the server answered')
    .argument('<address>', 'where to send it')
    .option('--json', 'print JSON')
    .addHelpText('after', example('latchkey mail test you@example.com'))
    .action((address: string, flags: Flags) => {
      const to = canonicalEmail(address)?.canonical;
      if (!to) throw new UsageFault(`${address} is not an e-mail address.`);
      return running.run(flags, async ({ mailer, issuer, development }) => {
        const id = randomUUID();
        const text = `This mail was sent by \`latchkey mail test\` of ${issuer}. Mail works.`;
        try {
          await mailer.send({ id, to, subject: 'Test mail', text: `${text}\n`, html: `<p>${text}</p>` });
        } catch (error) {
          throw new Unavailable(`The mail was not sent: ${reason(error)}`);
        }
        const where = development ? `It is caught: ${issuer}/dev/mail shows it.` : 'The mail server has taken it.';
        return { object: { id, to, sent: true }, text: `Sent to ${to}. ${where}` };
      });
    });
}

function reason(error: unknown): string {
  const words = error instanceof Error ? error.message : String(error);
  return /[.!?]$/.test(words) ? words : `${words}.`;
}
