/**
 * When the protocol must ask the person something (OpenID Connect Core 1.0 section 3.1.2.3, Initiating User
 * Registration 1.0): register, sign in, or consent. The pages that ask are in login/.
 */
import { interactionPolicy, type KoaContextWithOIDC } from 'oidc-provider';

const { Check, Prompt, base } = interactionPolicy;

export function createInteractionPolicy(): interactionPolicy.DefaultPolicy {
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

/** Clients whose redirect anybody on the device may receive: loopback addresses and private-use schemes. */
export function isImpersonable(ctx: KoaContextWithOIDC): boolean {
  return ctx.oidc.client?.applicationType === 'native';
}

function askedNow(ctx: KoaContextWithOIDC): boolean {
  const result = ctx.oidc.result as { login?: unknown; consent?: unknown } | undefined;
  return result?.login !== undefined || result?.consent !== undefined;
}
