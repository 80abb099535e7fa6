/** Pages for development only: the mailbox that catches every mail. Answers a loopback peer without a proxy. */
import type Router from '@koa/router';
import type { Context, Next } from 'koa';
import { AppError } from '../errors.ts';
import type { Renderer } from '../http/render.ts';
import { requestContext } from '../http/request-context.ts';
import type { Mailbox } from '../mail/mailbox.ts';

export interface DevDeps {
  mailbox: Mailbox;
  renderer: Renderer;
  issuer: string;
}

export function mountDevPages(router: Router, { mailbox, renderer, issuer }: DevDeps): void {
  const links = [
    { href: '/dev/mail', label: 'Mailbox' },
    { href: '/account', label: 'Account' },
    { href: '/.well-known/openid-configuration', label: 'Discovery' },
    { href: '/docs', label: 'Account API' },
  ];

  async function onlyHere(ctx: Context, next: Next): Promise<void> {
    const { peer, forwarded } = requestContext(ctx.req);
    if (forwarded || !/^(127\.|::1$|::ffff:127\.)/.test(peer)) throw new AppError('not_found');
    ctx.set('Cache-Control', 'no-store');
    await next();
  }

  function found(id: string | undefined) {
    const mail = mailbox.get(String(id));
    if (!mail) throw new AppError('not_found', { message: 'There is no such mail in the mailbox.' });
    return mail;
  }

  router.get('/dev', onlyHere, (ctx) => renderer.page(ctx, 'dev/index', { issuer, links }));
  router.get('/dev/mail', onlyHere, (ctx) => renderer.page(ctx, 'dev/mailbox', { mails: mailbox.list().reverse() }));
  router.get('/dev/mail.json', onlyHere, (ctx) => {
    ctx.body = mailbox.list();
  });
  router.get('/dev/mail/:id', onlyHere, (ctx) => {
    const mail = found(ctx['params'].id);
    ctx.state['allowFrames'] = true;
    renderer.page(ctx, 'dev/mail', { mail, htmlUrl: `/dev/mail/${encodeURIComponent(mail.id)}/html` });
  });
  router.get('/dev/mail/:id/html', onlyHere, (ctx) => {
    ctx.state['mailDocument'] = true;
    ctx.type = 'html';
    ctx.body = found(ctx['params'].id).html;
  });
}
