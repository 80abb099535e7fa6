/**
 * What a browser answers to a passkey ceremony, as JSON (WebAuthn section 5.1): its shape only. Members that are not
 * named stay: browsers add some with each edition of the standard.
 */
import { z } from 'zod';

const bytes = (max: number) =>
  z
    .string()
    .min(1)
    .max(max)
    .regex(/^[\w-]+$/);

const common = {
  // A credential id has at most 1,023 bytes.
  id: bytes(1400),
  rawId: bytes(1400),
  type: z.literal('public-key'),
  clientExtensionResults: z.looseObject({}).default({}),
};

export const RegistrationResponse = z.looseObject({
  ...common,
  response: z.looseObject({
    clientDataJSON: bytes(4096),
    attestationObject: bytes(16_384),
    transports: z
      .array(z.string().regex(/^[a-z-]{1,20}$/))
      .max(10)
      .default([]),
  }),
});
export type RegistrationResponse = z.output<typeof RegistrationResponse>;

export const AssertionResponse = z.looseObject({
  ...common,
  response: z.looseObject({
    clientDataJSON: bytes(4096),
    authenticatorData: bytes(8192),
    signature: bytes(8192),
    userHandle: z.string().max(200).nullish(),
  }),
});
export type AssertionResponse = z.output<typeof AssertionResponse>;

/** A field of a form that holds such an answer as text. */
export const jsonField = <Schema extends z.ZodType>(schema: Schema) =>
  z
    .string()
    .max(40_000)
    .transform((text, context): z.output<Schema> => {
      const result = schema.safeParse(parsed(text));
      if (result.success) return result.data;
      context.issues.push({ code: 'custom', message: 'is no answer of a passkey', input: text });
      return z.NEVER;
    });

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
