/** Finds the issuer of an address (OpenID Connect Discovery 1.0 section 2, RFC 7033). Everybody has the same issuer
 * here, so the answer tells nothing of accounts. */
import type Router from '@koa/router';
import { AppError } from '../errors.ts';

const ISSUER_REL = 'http://openid.net/specs/connect/1.0/issuer';
const RESOURCE = /^(acct:[^@\s]{1,320}@[^@\s]{1,255}|https?:\/\/\S{1,1000}|mailto:\S{1,500})$/i;

export function mountWebFinger(router: Router, issuer: string): void {
  router.get('/.well-known/webfinger', (ctx) => {
    const { resource, rel } = ctx.query;
    if (typeof resource !== 'string' || !RESOURCE.test(resource)) {
      throw new AppError('invalid_request', {
        message: 'Give exactly one "resource" parameter, such as resource=acct:person@example.com.',
        fields: [{ field: 'resource', code: 'invalid' }],
      });
    }
    const wanted = rel === undefined ? [ISSUER_REL] : [rel].flat();
    const links = wanted.includes(ISSUER_REL) ? [{ rel: ISSUER_REL, href: issuer }] : [];
    ctx.set('Access-Control-Allow-Origin', '*');
    ctx.type = 'application/jrd+json';
    ctx.body = JSON.stringify({ subject: resource, links });
  });
}
