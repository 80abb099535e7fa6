/**
 * Words for the core's shortest refusals, so that a developer knows what to look at. They list what may be wrong and
 * not what is: that only the log and the answers of development say.
 */
import type Provider from 'oidc-provider';
import type { KoaContextWithOIDC } from 'oidc-provider';

const WORDS: Record<string, string> = {
  'client authentication failed':
    'client authentication failed: the client_id is unknown, the secret or assertion is wrong, or the client is registered with another token_endpoint_auth_method',
  'grant request is invalid':
    'the code, refresh token or device code is unknown, expired or used already, or was issued for another client, redirect_uri, code_verifier or key',
  'no client authentication mechanism provided':
    'no client_id was sent: send it as a parameter, or with the secret in an Authorization header of the Basic scheme',
  'invalid authorization header value format':
    'the Authorization header is not well-formed: it has a scheme, Basic for clients or Bearer or DPoP for tokens, one space, and the credentials',
  'invalid token provided': 'the access token is unknown, expired or revoked',
  'no access token provided': 'no access token was sent: send it in an Authorization header of the Bearer scheme',
  'unsupported grant_type requested':
    'this grant_type is not offered: see grant_types_supported at /.well-known/openid-configuration',
  'requested grant type is not allowed for this client': 'this grant_type is not among the grant_types of the client',
  'failed to parse the request body': 'the body of the request did not arrive completely',
};

/** Where the core says nothing but the code. */
const WORDS_BY_CODE: Record<string, string> = {
  request_not_supported:
    'request objects are not offered here: send the parameters themselves, pushed if need be (RFC 9126)',
  request_uri_not_supported:
    'a request_uri is taken at the authorization endpoint only, as the pushed request endpoint gave it',
  registration_not_supported: 'the parameter registration is not offered here: clients are registered by the operator',
  expired_token: 'the device code has expired: start again with a new one',
  access_denied: 'the person refused',
  invalid_dpop_proof: 'the DPoP header is not a valid proof for this request (RFC 9449 section 4.3)',
};

/** The core's events about refusals that are answered in JSON. */
const EVENTS = [
  ...['grant', 'introspection', 'revocation', 'userinfo', 'pushed_authorization_request'],
  ...['device_authorization', 'end_session', 'end_session_confirm', 'code_verification'],
].map((name) => `${name}.error`);

interface Refused extends Error {
  error?: string;
  error_description?: string;
  error_detail?: string;
}

export interface ExplainOptions {
  development: boolean;
  onRefused(facts: Record<string, unknown>, ctx: KoaContextWithOIDC): void;
  /** The caller was told to come again, because a part of this service did not answer. */
  onUnavailable(cause: unknown, ctx: KoaContextWithOIDC): void;
}

export function explainRefusals(provider: Provider, { development, onRefused, onUnavailable }: ExplainOptions): void {
  for (const event of [...EVENTS, 'authorization.error']) provider.on(event as never, refused as never);

  function refused(ctx: KoaContextWithOIDC, refusal: Refused): void {
    const { error, error_description: words, error_detail: detail, cause } = refusal;
    if (ctx.status === 503) onUnavailable(cause ?? refusal, ctx);
    onRefused({ path: ctx.path, error, words, detail, client_id: ctx.oidc?.client?.clientId }, ctx);
    const body = ctx.body as { error?: string; error_description?: string } | undefined;
    if (typeof body !== 'object' || body === null || body.error === undefined) return;
    const own = body.error_description;
    const better = own === undefined ? WORDS_BY_CODE[body.error] : (WORDS[own] ?? own);
    if (better !== undefined)
      body.error_description = development && detail && detail !== words ? `${better} (${detail})` : better;
  }
}
