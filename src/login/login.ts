/** Decides the next step of a sign-in. Today a proved password or code is all; factors will be asked for here. */
import type { Context } from 'koa';
import type { Account } from '../accounts/store.ts';
import type { Flow, Flows } from './flows.ts';

/** RFC 8176 values: what just happened, nothing more. */
export type Method = 'pwd';

export function createLogin({ flows }: { flows: Flows }) {
  return {
    /** The person proved who they are; the protocol goes on with the request. */
    async proved(ctx: Context, flow: Flow, account: Account, amr: Method[]): Promise<void> {
      const created = flow.interaction.prompt.name === 'create' ? { create: {} } : {};
      // With its time: the answer is handed in again with a consent, which is no proof of anything.
      const login = { accountId: account.id, remember: true, amr, ts: Math.floor(Date.now() / 1000) };
      await flows.finish(ctx, flow, { ...created, login });
    },

    /** The person went back to the application without signing in (RFC 6749 section 4.1.2.1). */
    async refused(ctx: Context, flow: Flow, words: string): Promise<void> {
      await flows.finish(ctx, flow, { error: 'access_denied', error_description: words });
    },
  };
}

export type Login = ReturnType<typeof createLogin>;
