/** Finds the issuer of an address (OpenID Connect Discovery 1.0 section 2, RFC 7033). Everybody has the same issuer
 * here, so the answer tells nothing of accounts. */
import type Router from '@koa/router';
import { AppError } from '../errors.ts';
import { parsePairs } from '../http/form-pairs.ts';

const ISSUER_REL = 'http://openid.net/specs/connect/1.0/issuer';
/** Text without spaces and control characters; quadratic in nothing. */
const RESOURCE =
  /^(acct:[^@\s\p{Cc}]{1,320}@[^@\s\p{Cc}]{1,255}|https?:\/\/[^\s\p{Cc}]{1,1000}|mailto:[^\s\p{Cc}]{1,500})$/iu;

export const WEBFINGER_PATH = '/.well-known/webfinger';
const MAX_REL = 500;

export function mountWebFinger(router: Router, issuer: string): void {
  router.get(WEBFINGER_PATH, (ctx) => {
    const { resource, rels } = read(ctx.querystring);
    const links = rels.length === 0 || rels.includes(ISSUER_REL) ? [{ rel: ISSUER_REL, href: issuer }] : [];
    ctx.set('Access-Control-Allow-Origin', '*');
    ctx.type = 'application/jrd+json';
    ctx.body = JSON.stringify({ subject: resource, links });
  });
}

/** One `resource`, any number of `rel` (RFC 7033 sections 4.1 and 4.3). */
function read(query: string): { resource: string; rels: string[] } {
  const pairs = parsePairs(query);
  const valuesOf = (wanted: string) => pairs.filter(([name]) => name === wanted).map(([, value]) => value);
  const [resource = '', ...more] = valuesOf('resource');
  if (more.length > 0 || !RESOURCE.test(resource)) {
    throw new AppError('invalid_request', {
      message: 'Give exactly one "resource" parameter, such as resource=acct:person@example.com.',
      fields: [{ field: 'resource', code: more.length > 0 ? 'doubled' : 'invalid' }],
    });
  }
  const rels = valuesOf('rel');
  if (rels.some((rel) => rel.length > MAX_REL)) {
    throw new AppError('invalid_request', {
      message: `A "rel" parameter is longer than ${MAX_REL} characters.`,
      fields: [{ field: 'rel', code: 'too_long', values: { max: MAX_REL } }],
    });
  }
  return { resource, rels };
}
