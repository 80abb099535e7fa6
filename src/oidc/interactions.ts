/**
 * When the protocol must ask the person something (OpenID Connect Core 1.0 section 3.1.2.3, Initiating User
 * Registration 1.0): register, sign in, or consent. The pages that ask are in login/.
 */
import type { Context } from 'koa';
import { errors, interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';
import { ACR_VALUES, acrRequest, demandsOf, satisfied } from '../factors/assurance.ts';

const { Check, Prompt, base } = interactionPolicy;

/** Why the prompt `login` is asked, where the session is good but not good enough. */
export const TOO_WEAK = 'too_weak';

/** The same, where not the application but the operator asks for more. */
export const LACKS_FACTOR = 'lacks_second_factor';

export interface InteractionRules {
  /** Whether what was proved strongly in a session, at that time in seconds since 1970, counts no more. */
  hasLapsed(sessionUid: string, authTime: number): Promise<boolean>;
  /** Whether a session of this browser is as strong as the operator demands of its person. */
  sufficesHere(ctx: Pick<Context, 'cookies'>, proof: { accountId: string; amr: readonly string[] }): Promise<boolean>;
}

export function createInteractionPolicy({
  hasLapsed,
  sufficesHere,
}: InteractionRules): interactionPolicy.DefaultPolicy {
  const policy = base();
  const login = policy.get('login');
  const consent = policy.get('consent');
  if (!login || !consent) throw new Error('the protocol core lost its prompts');

  login.checks.add(
    new Check('account_gone', 'the account of this session is not available', (ctx) =>
      ctx.oidc.session?.accountId !== undefined && ctx.oidc.account === undefined
        ? Check.REQUEST_PROMPT
        : Check.NO_NEED_TO_PROMPT,
    ),
  );

  // The core compares one acr with another; here a stronger sign-in meets a weaker demand, and `acr_values` binds.
  login.checks.remove('essential_acrs');
  login.checks.remove('essential_acr');
  login.checks.add(
    new Check(
      TOO_WEAK,
      'the End-User has to be authenticated more strongly',
      'unmet_authentication_requirements',
      (ctx) => tooWeak(ctx, hasLapsed),
    ),
  );

  // An application that asked for nothing special knows what to do with this answer to `prompt=none`.
  login.checks.add(
    new Check(
      LACKS_FACTOR,
      'the End-User has to prove a second factor',
      'login_required',
      async ({ oidc, cookies }) => {
        const { accountId, amr = [] } = (oidc.session ?? {}) as { accountId?: string; amr?: string[] };
        if (accountId === undefined || (await sufficesHere({ cookies }, { accountId, amr })))
          return Check.NO_NEED_TO_PROMPT;
        return Check.REQUEST_PROMPT;
      },
    ),
  );

  // A native client can be imitated by any program of the device (RFC 8252 section 8.6): somebody sees at least one
  // page, be it that of the sign-in which just happened.
  consent.checks.remove('native_client_prompt');
  consent.checks.add(
    new Check('native_client_prompt', 'native clients require End-User interaction', 'interaction_required', (ctx) =>
      isImpersonable(ctx) && !askedNow(ctx) ? Check.REQUEST_PROMPT : Check.NO_NEED_TO_PROMPT,
    ),
  );

  policy.add(new Prompt({ name: 'create', requestable: true }), 0);
  return policy;
}

/** @throws unmet_authentication_requirements for an essential acr that no sign-in here reaches. */
async function tooWeak({ oidc }: KoaContextWithOIDC, hasLapsed: InteractionRules['hasLapsed']): Promise<boolean> {
  const { values, essential } = acrRequest(oidc.params ?? {});
  if (essential && values.length > 0 && !values.some((value) => (ACR_VALUES as readonly string[]).includes(value))) {
    throw new errors.UnmetAuthenticationRequirements('none of the requested ACRs is known here');
  }
  const session = oidc.session as unknown as SessionFacts | undefined;
  if (!session?.accountId) return Check.NO_NEED_TO_PROMPT;
  const demands = demandsOf(oidc.params ?? {}, oidc.client as never);
  if (demands.length === 0) return Check.NO_NEED_TO_PROMPT;
  const { uid, amr = [], loginTs = 0 } = session;
  return satisfied(demands, { amr, lapsed: await hasLapsed(uid, loginTs) })
    ? Check.NO_NEED_TO_PROMPT
    : Check.REQUEST_PROMPT;
}

interface SessionFacts {
  uid: string;
  accountId?: string;
  amr?: string[];
  loginTs?: number;
}

/** Clients whose redirect anybody on the device may receive: loopback addresses and private-use schemes. */
export function isImpersonable(ctx: KoaContextWithOIDC): boolean {
  return ctx.oidc.client?.applicationType === 'native';
}

function askedNow(ctx: KoaContextWithOIDC): boolean {
  const result = ctx.oidc.result as { login?: unknown; consent?: unknown } | undefined;
  return result?.login !== undefined || result?.consent !== undefined;
}
