/**
 * What reaches the protocol core is well-formed: text, each parameter once, none of a size that no client can mean.
 * The core itself replaces what is not UTF-8, reads only so many parameters, and stores any length. Knows the names
 * of parameters, not what they mean.
 */
import type { IncomingMessage } from 'node:http';
import type { KoaContextWithOIDC } from 'oidc-provider';
import { AppError } from '../errors.ts';
import { FORM, readText } from '../http/body.ts';
import { checkOrigin } from '../http/csrf.ts';
import { parsePairs } from '../http/form-pairs.ts';
import { ROUTES } from './provider.ts';
import { isAuthorization, type Refuse } from './refusal.ts';

/** Bytes; the core reads no more (lib/shared/selective_body.js). */
const MAX_BODY = 56 * 1024;
/** Characters of an address that proxies pass on in an answer. */
const MAX_LOCATION = 8 * 1024;
const MAX_PARAMETERS = 100;
/** Characters. */
const MAX_VALUE = 4096;
/** These hold a token, possibly a signed one with many claims. */
const TOKENS = new Set(['id_token_hint', 'client_assertion', 'request', 'token']);
const MAX_TOKEN = 16 * 1024;

/** RFC 8707 section 2. */
const REPEATABLE = new Set(['resource']);
/** Repeated, these are told to the application, whose way back is not in doubt (RFC 6749 section 4.1.2.1). */
const TOLD_TO_THE_APP = new Set([
  ...['response_type', 'response_mode', 'scope', 'state', 'nonce', 'prompt', 'max_age', 'display', 'acr_values'],
  ...['ui_locales', 'claims_locales', 'login_hint', 'id_token_hint', 'claims', 'code_challenge'],
  ...['code_challenge_method', 'request', 'request_uri', 'registration', 'dpop_jkt'],
]);

/** The core's own forms, whose token it checks itself. Applications may post to the others. */
const OWN_FORMS = new Set<string>([ROUTES.code_verification, `${ROUTES.end_session}/confirm`]);

type Pair = [name: string, value: string];

/** @returns a check that has answered when it resolves with true. */
export function createInputCheck({ refuse, issuer }: { refuse: Refuse; issuer: URL }) {
  return async function refusesInput(ctx: KoaContextWithOIDC): Promise<boolean> {
    try {
      // As the core matches routes.
      if (ctx.method === 'POST' && OWN_FORMS.has(ctx.path.toLowerCase().replace(/\/$/, '')))
        checkOrigin(ctx.req, issuer);
      if (ctx.querystring !== '') checkPairs(parsePairs(ctx.querystring), isAuthorization(ctx.path));
      if (ctx.method === 'POST' && hasBody(ctx.req)) {
        const text = await readText(ctx.req, FORM, MAX_BODY);
        const posted = ctx.path === ROUTES.authorization;
        checkPairs(parsePairs(text), posted);
        if (posted) {
          continueByGet(ctx, text);
          return true;
        }
        replay(ctx.req, text);
      }
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      const { status, message, headers } = error;
      await refuse(ctx, { status, error: 'invalid_request', description: message, headers });
      return true;
    }
    return false;
  };
}

function checkPairs(pairs: Pair[], coreTells: boolean): void {
  if (pairs.length > MAX_PARAMETERS) throw malformed(`More than ${MAX_PARAMETERS} parameters were sent.`);
  const seen = new Set<string>();
  for (const [name, value] of pairs) {
    if (name.length > 100) throw malformed('The name of a parameter is longer than 100 characters.');
    if (hasControls(name) || hasControls(name === 'claims' ? value.replace(/[\t\n\r]/g, '') : value)) {
      throw malformed(`The parameter '${name}' has control characters.`);
    }
    const max = TOKENS.has(name) ? MAX_TOKEN : MAX_VALUE;
    if (value.length > max) throw malformed(`The parameter '${name}' is longer than ${max} characters.`);
    if (seen.has(name) && !REPEATABLE.has(name) && !(coreTells && TOLD_TO_THE_APP.has(name))) {
      throw malformed(`The parameter '${name}' was sent more than once.`);
    }
    seen.add(name);
  }
}

/** Printable ASCII: most values are. */
const PLAIN = /^[ -~]*$/;

/**
 * The authorization endpoint takes a form too (OpenID Connect Core section 3.1.2.1). A post from another site comes
 * without the cookies, which are SameSite=Lax; the browser sends them with the request that this answer asks for.
 */
function continueByGet(ctx: KoaContextWithOIDC, form: string): void {
  const pairs = [...parsePairs(ctx.querystring), ...parsePairs(form)];
  checkPairs(pairs, true);
  const target = `${ctx.path}?${new URLSearchParams(pairs)}`;
  if (target.length > MAX_LOCATION) throw malformed('The request is too long for this endpoint: push it (RFC 9126).');
  ctx.status = 303;
  ctx.redirect(target);
}

function hasControls(text: string): boolean {
  return !PLAIN.test(text) && /\p{Cc}/u.test(text);
}

function malformed(message: string): AppError {
  return new AppError('invalid_request', { message });
}

function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}

/**
 * Lets the core read the body once more. Its other way, `req.body`, prints a warning on the console and refuses the
 * body that it finds there as soon as anything was left unread.
 */
function replay(req: IncomingMessage, text: string): void {
  const once = [Buffer.from(text)];
  Object.defineProperty(req, 'readable', { value: true });
  req.iterator = () => once as never;
}
