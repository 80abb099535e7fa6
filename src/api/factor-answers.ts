/** What the account API answers about factors: the shapes, our values in them, and samples. */
import { z } from 'zod';
import type {} from 'zod-openapi';
import type { Factor } from '../factors/factors.ts';

const instant = z.iso.datetime().meta({ example: '2026-11-02T08:12:44.000Z' });

export const FactorAnswer = z
  .strictObject({
    id: z.string(),
    kind: z.enum(['passkey', 'totp', 'recovery']).meta({
      description: '`totp` is an authenticator app; `recovery` stands for all recovery codes that are left.',
    }),
    name: z.string().nullable().meta({ description: 'What the person calls it.' }),
    created_at: instant,
    last_used_at: instant.nullable(),
    details: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).meta({
      description: 'What else there is to say of its kind, such as how many recovery codes are `left` of `total`.',
    }),
  })
  .meta({ id: 'Factor' });

export const FactorList = z
  .strictObject({
    items: z.array(FactorAnswer),
    next: z.null().meta({ description: 'There is one page: an account has few factors.' }),
  })
  .meta({ id: 'FactorList' });

export const TotpSetup = z
  .strictObject({
    id: z.string(),
    secret: z.string().meta({ description: 'Base32, for typing.' }),
    otpauth_uri: z.string().meta({ description: 'The same with the names, for a QR code.' }),
    expires_at: instant,
  })
  .meta({ id: 'TotpSetup', description: 'Nothing counts before a code has proved it.' });

const codes = z.array(z.string());

export const TotpAdded = z
  .strictObject({
    factor: FactorAnswer,
    recovery_codes: codes.nullable().meta({
      description: 'With the first factor, this once: show them to be saved. Null when the account has codes.',
    }),
  })
  .meta({ id: 'TotpAdded' });

export const CodeCount = z
  .strictObject({
    left: z.int(),
    total: z.int(),
    created_at: instant.nullable().meta({ description: 'Null when none were made.' }),
  })
  .meta({ id: 'RecoveryCodeCount' });

export const NewCodes = z
  .strictObject({ codes: codes.meta({ description: 'Nobody can be shown them again.' }) })
  .meta({ id: 'RecoveryCodes' });

export function factorAnswer({
  id,
  kind,
  name,
  createdAt,
  lastUsedAt,
  details,
}: Factor): z.output<typeof FactorAnswer> {
  const iso = (ms: number) => new Date(ms).toISOString();
  return {
    ...{ id, kind, name, details },
    ...{ created_at: iso(createdAt), last_used_at: lastUsedAt === null ? null : iso(lastUsedAt) },
  };
}

const CODES = ['7K2M-9QXR-0T4W-HZ8C', '7K2M-9QXR-1T4W-HZ8C'];
const factor: z.output<typeof FactorAnswer> = {
  ...{ id: 'totp_019a3f2c7e51Yv2b7Rk4w1aQ', kind: 'totp', name: 'Work phone', details: {} },
  ...{ created_at: '2026-11-02T08:12:44.000Z', last_used_at: '2026-11-02T09:40:03.000Z' },
};

export const FACTOR_EXAMPLES = {
  factor,
  list: { items: [factor], next: null } satisfies z.output<typeof FactorList>,
  setup: {
    id: 'totp_019a3f2c7e51Yv2b7Rk4w1aQ',
    secret: 'JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP',
    otpauth_uri:
      'otpauth://totp/Latchkey:ada%40example.com?issuer=Latchkey&secret=JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP&algorithm=SHA1&digits=6&period=30',
    expires_at: '2026-11-02T08:27:44.000Z',
  } satisfies z.output<typeof TotpSetup>,
  added: { factor: { ...factor, last_used_at: null }, recovery_codes: CODES } satisfies z.output<typeof TotpAdded>,
  count: { left: 7, total: 10, created_at: '2026-11-02T08:12:44.000Z' } satisfies z.output<typeof CodeCount>,
  codes: { codes: CODES } satisfies z.output<typeof NewCodes>,
};
