/** What `npm start` shows a developer: where everything is, and a block to paste. */
import { nextAuthBlock } from './cli/blocks.ts';
import type { Settings } from './config/settings.ts';
import { SEED_APP_URL } from './dev/seed.ts';

export interface BannerOptions {
  settings: Settings;
  seed: { client_id: string; client_secret?: string } | undefined;
}

export function banner({ settings, seed }: BannerOptions): string {
  const issuer = settings.issuer.origin;
  const rows: Array<[string, string]> = [
    ['Issuer', issuer],
    ['Discovery', `${issuer}/.well-known/openid-configuration`],
    ['Account', `${issuer}/account`],
  ];
  if (settings.development && !settings.smtpUrl) rows.push(['Mailbox', `${issuer}/dev/mail`]);
  if (settings.docs) rows.push(['Account API', `${issuer}/docs`]);
  rows.push(['Data', settings.databaseUrl ? new URL(settings.databaseUrl).host : settings.dataDir]);
  const lines = ['', '  Latchkey is ready', '', ...rows.map(([label, value]) => `  ${label.padEnd(12)} ${value}`), ''];
  if (seed?.client_secret) {
    const block = nextAuthBlock({
      issuer,
      clientId: seed.client_id,
      clientSecret: seed.client_secret,
      url: SEED_APP_URL,
    });
    lines.push(`  A Next.js app with NextAuth, on ${SEED_APP_URL} (next dev -p 3001):`, '');
    lines.push(...block.split('\n').map((line) => (line === '' ? '' : `    ${line}`)), '');
  }
  return lines.join('\n');
}
