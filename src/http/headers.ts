/**
 * Security headers of every answer (SECURITY X01, P21, P22), by koa-helmet. Routes steer them by flags in `ctx.state`:
 *
 * - `nonce` (set here, per response): for the one `<style nonce>` or `<script nonce>` of a page.
 * - `isolate`: `Cross-Origin-Opener-Policy: same-origin`, for account and admin pages only: a sign-in page may be the
 *   popup of an app that waits for it.
 * - `allowFrames`: the page frames documents of its own origin (the development mailbox).
 * - `mailDocument`: the answer is such a document, made by a mail template: inline styles, no script, our frame only.
 *
 * No `form-action`: Chromium applies it to the redirects after a form post, and so would stop the way back to the app.
 * The library's own form_post page has an inline script; it adds that script's hash to the `script-src` which it finds
 * on the response (lib/helpers/script_src_sha.js), so the policy must be set before the library runs, and have one.
 */
import { randomBytes } from 'node:crypto';
import type { Context, Middleware } from 'koa';
import helmet from 'koa-helmet';
import { BARE_HEADERS } from './refusal.ts';

export interface HeaderOptions {
  /** The issuer's scheme. */
  https: boolean;
  hstsSubdomains: boolean;
  /** Here programs ask: an answer has the headers of a document that is no page, until a page asks for its nonce. */
  machinePaths?: ReadonlySet<string>;
}

const POLICY = 'Content-Security-Policy';
const YEAR_SECONDS = 365 * 24 * 60 * 60;
const NONCE_BYTES = 16;

const PERMISSIONS = [
  ...['accelerometer', 'autoplay', 'browsing-topics', 'camera', 'display-capture', 'encrypted-media'],
  ...['fullscreen', 'gamepad', 'geolocation', 'gyroscope', 'hid', 'idle-detection', 'local-fonts', 'magnetometer'],
  ...['microphone', 'midi', 'payment', 'picture-in-picture', 'screen-wake-lock', 'serial', 'storage-access', 'usb'],
  ...['window-management', 'xr-spatial-tracking'],
]
  .map((feature) => `${feature}=()`)
  .concat('publickey-credentials-create=(self)', 'publickey-credentials-get=(self)')
  .join(', ');

type PageHeaders = readonly (readonly [name: string, value: string])[];

export function securityHeaders({ https, hstsSubdomains, machinePaths = new Set() }: HeaderOptions): Middleware {
  const page: PageHeaders = [
    ...headersOf({
      contentSecurityPolicy: false,
      crossOriginOpenerPolicy: false,
      crossOriginResourcePolicy: false,
      referrerPolicy: { policy: 'no-referrer' },
      strictTransportSecurity: https && { maxAge: YEAR_SECONDS, includeSubDomains: hstsSubdomains },
      xFrameOptions: { action: 'deny' },
    }),
    ['Permissions-Policy', PERMISSIONS],
  ];
  const { 'Cross-Origin-Resource-Policy': _shared, ...bare } = bareHeaders({ https, hstsSubdomains });
  const machine = Object.entries(bare);

  async function forPage(ctx: Context, next: () => Promise<unknown>): Promise<void> {
    ctx.state.nonce = dressAsPage(ctx, page);
    try {
      await next();
    } finally {
      if (!ctx.headerSent) applyFlags(ctx);
    }
  }

  return (ctx, next) => {
    if (!machinePaths.has(ctx.path)) return forPage(ctx, next);
    for (const [name, value] of machine) ctx.res.setHeader(name, value);
    ctx.state = new MachineState(ctx, page);
    return next();
  };
}

let unused = Buffer.alloc(0);

/** Of many that were made at once: asking the system costs more than all the headers. */
function newNonce(): string {
  if (unused.length === 0) unused = randomBytes(64 * NONCE_BYTES);
  const nonce = unused.toString('base64url', 0, NONCE_BYTES);
  unused = unused.subarray(NONCE_BYTES);
  return nonce;
}

/** @returns the nonce. */
function dressAsPage(ctx: Context, page: PageHeaders): string {
  const nonce = newNonce();
  ctx.res.setHeader(POLICY, pagePolicy(nonce));
  for (const [name, value] of page) ctx.res.setHeader(name, value);
  return nonce;
}

/** The state of a request whose answer is a page only when it failed and a person looks. */
class MachineState {
  readonly #ctx: Context;
  readonly #page: PageHeaders;
  #nonce: string | undefined;
  [name: string]: unknown;

  constructor(ctx: Context, page: PageHeaders) {
    this.#ctx = ctx;
    this.#page = page;
  }

  get nonce(): string {
    this.#nonce ??= dressAsPage(this.#ctx, this.#page);
    return this.#nonce;
  }
}

/** What helmet sets is the same for every answer: it is asked once. */
function headersOf(options: Parameters<typeof helmet>[0]): [name: string, value: string][] {
  const headers: [string, string][] = [];
  const res = { setHeader: (name: string, value: string) => headers.push([name, value]), removeHeader() {} };
  helmet(options)({ req: {}, res } as never, async () => {});
  return headers;
}

/** The same for a document that is never a page and may be kept and read by anybody. */
export function bareHeaders({ https, hstsSubdomains }: HeaderOptions): Readonly<Record<string, string>> {
  const { 'Cache-Control': _private, ...headers } = BARE_HEADERS;
  const transport = `max-age=${YEAR_SECONDS}${hstsSubdomains ? '; includeSubDomains' : ''}`;
  return {
    ...headers,
    'Cross-Origin-Resource-Policy': 'cross-origin',
    'X-Frame-Options': 'DENY',
    ...(https ? { 'Strict-Transport-Security': transport } : {}),
  };
}

const POLICY_OF_PAGES = [
  "img-src 'self' data:",
  "font-src 'self'",
  "connect-src 'self'",
  "manifest-src 'self'",
  "object-src 'none'",
  "base-uri 'none'",
  "frame-ancestors 'none'",
].join('; ');

function pagePolicy(nonce: string): string {
  const own = `'self' 'nonce-${nonce}'`;
  return `default-src 'none'; style-src ${own}; script-src ${own}; ${POLICY_OF_PAGES}`;
}

const MAIL_POLICY = [
  'sandbox allow-popups allow-popups-to-escape-sandbox',
  "default-src 'none'",
  "style-src 'unsafe-inline'",
  "img-src 'self' data:",
  "base-uri 'none'",
  "frame-ancestors 'self'",
].join('; ');

function applyFlags(ctx: Context): void {
  const { isolate, allowFrames, mailDocument } = ctx.state;
  if (isolate) ctx.set('Cross-Origin-Opener-Policy', 'same-origin');
  if (allowFrames) ctx.set(POLICY, `${ctx.response.get(POLICY)}; frame-src 'self'`);
  if (mailDocument) {
    ctx.set(POLICY, MAIL_POLICY);
    ctx.set('X-Frame-Options', 'SAMEORIGIN');
  }
}
