/**
 * A sign-in under way: the protocol's interaction, named in the path and bound to this browser by a signed cookie of
 * its own, so that several tabs can sign in side by side and nobody else can finish what somebody began.
 */
import type { Context } from 'koa';
import type Provider from 'oidc-provider';
import type { Client, Interaction, InteractionResults } from 'oidc-provider';
import { AppError } from '../errors.ts';
import { type CookieKeys, signedCookie } from '../http/cookies.ts';
import { LACKS_FACTOR, TOO_WEAK } from '../oidc/interactions.ts';
import { cookieNames } from '../oidc/provider.ts';

/** Pages of one flow, by the prompt that asks for them. */
const PAGE_OF_PROMPT: Record<string, string> = { login: 'login', create: 'register', consent: 'consent' };
/** More sign-ins than this under way in one browser: the first of them is forgotten. */
const FLOWS_A_BROWSER = 8;

type Cookies = Pick<Context, 'cookies' | 'get'>;

export interface Flow {
  uid: string;
  interaction: Interaction;
  client: Client | undefined;
  /** `ui_locales` of the request, if any. */
  uiLocales: string | undefined;
  /** The browser session that was there when the sign-in began. Times are seconds since 1970. */
  session: { uid: string; accountId: string; amr: string[]; authTime: number } | undefined;
  /** That session is good, only not as strong as the application asks or the operator demands. */
  onlyTooWeak: boolean;
  /** It is the application that asks for more. */
  asksForMore: boolean;
}

export interface FlowsOptions {
  provider(): Provider;
  cookieKeys: Pick<CookieKeys, 'verify'>;
  secureCookies: boolean;
  /** Seconds. */
  lifetime: number;
}

export function createFlows({ provider, cookieKeys, secureCookies, lifetime }: FlowsOptions) {
  const prefix = secureCookies ? '__Host-latchkey_flow_' : 'latchkey_flow_';
  const nameOf = (uid: string) => prefix + uid.slice(0, 10).replaceAll('-', '.');
  const settings = {
    httpOnly: true,
    sameSite: 'lax',
    signed: true,
    secure: secureCookies,
    path: '/',
    overwrite: true,
  } as const;

  function forgetOldest(ctx: Cookies): void {
    const names = [...ctx.get('cookie').matchAll(/(?:^|; )([^=;]+)=/g)].map((match) => match[1] as string);
    const flows = names.filter((name) => name.startsWith(prefix) && !name.endsWith('.sig'));
    for (const name of flows.slice(0, Math.max(0, flows.length - FLOWS_A_BROWSER + 1)))
      ctx.cookies.set(name, null, settings);
  }

  return {
    /** Binds a new interaction to the browser; the path of the page that answers its prompt. */
    begin(ctx: Cookies, interaction: { uid: string; prompt: { name: string } }): string {
      forgetOldest(ctx);
      ctx.cookies.set(nameOf(interaction.uid), interaction.uid, { ...settings, maxAge: lifetime * 1000 });
      return pathOf(interaction);
    },

    /** @throws AppError interaction_expired when it ended, belongs to another browser, or its session did. */
    async load(ctx: Cookies, uid: string): Promise<Flow> {
      if (signedCookie(ctx.get('cookie'), nameOf(uid), cookieKeys) !== uid) throw expired();
      const interaction = await provider().Interaction.find(uid);
      if (!interaction) throw expired();
      const { session: begun, params, prompt } = interaction;
      const session = begun?.uid ? await provider().Session.findByUid(begun.uid) : undefined;
      if (begun?.uid && (!session || session.accountId !== begun.accountId)) throw expired();
      return {
        uid,
        interaction,
        client: await provider().Client.find(params['client_id'] as string),
        uiLocales: params['ui_locales'] as string | undefined,
        session: session?.accountId ? signInOf(session as never) : undefined,
        asksForMore: prompt.reasons.includes(TOO_WEAK),
        onlyTooWeak: prompt.reasons.every((reason) => reason === TOO_WEAK || reason === LACKS_FACTOR),
      };
    },

    /** Hands the result to the protocol and sends the browser on. Earlier answers of the same request stay. */
    async finish(ctx: Context, flow: Flow, result: InteractionResults): Promise<void> {
      const { interaction } = flow;
      interaction.result = 'error' in result ? result : { ...interaction.lastSubmission, ...result };
      await interaction.save(Math.max(1, interaction.exp - Math.floor(Date.now() / 1000)));
      ctx.cookies.set(nameOf(flow.uid), null, settings);
      ctx.cookies.set(cookieNames(secureCookies).interaction, null, { ...settings, path: pathOf(interaction) });
      ctx.status = 303;
      ctx.redirect(interaction.returnTo);
    },
  };
}

function signInOf({
  uid,
  accountId,
  amr = [],
  loginTs = 0,
}: {
  uid: string;
  accountId: string;
  amr?: string[];
  loginTs?: number;
}) {
  return { uid, accountId, amr, authTime: loginTs };
}

function expired(): AppError {
  const message = 'This sign-in is no longer under way. Go back to the application and start again.';
  return new AppError('interaction_expired', { message });
}

function pathOf({ uid, prompt }: { uid: string; prompt: { name: string } }): string {
  return `/${PAGE_OF_PROMPT[prompt.name] ?? 'login'}/${uid}`;
}

export type Flows = ReturnType<typeof createFlows>;
