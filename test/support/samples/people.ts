/** The people, apps and faults that the samples speak of. */
import type { FieldError } from '../../../src/errors.ts';

export interface Sample {
  /** The file's name in a preview. */
  id: string;
  template: string;
  data: Record<string, unknown>;
}

export const csrf = 'c2FtcGxl.dG9rZW4';
export const MINUTE = 60_000;
export const ago = (minutes: number): string => new Date(Date.now() - minutes * MINUTE).toISOString();

export const client = {
  name: 'Acme Notes',
  logoUri: 'https://cdn.acme.example/logo.png',
  uri: 'https://acme.example',
  policyUri: 'https://acme.example/privacy',
  tosUri: 'https://acme.example/terms',
  redirectHost: 'acme.example',
};
export const longClient = {
  ...client,
  name: 'The Quite Extraordinarily Long-Named Timesheet and Expenses Application of Llanfairpwll',
};
export const account = {
  id: 'a1',
  email: 'ada.lovelace@example.org',
  emailVerified: true,
  name: 'Ada Lovelace',
  picture: null,
  createdAt: '2025-02-03T09:30:00.000Z',
};
export const longAccount = {
  ...account,
  email: 'wolfeschlegelsteinhausenbergerdorff.the-elder.of-bethlehem@department-of-long-names.example.org',
  name: 'Hubert Blaine Wolfeschlegelsteinhausenbergerdorff Senior',
};
export const fault = (field: string, code: string, values?: Record<string, string | number>): FieldError => ({
  field,
  code,
  ...(values ? { values } : {}),
});
