/** Every hosted page and mail with data as the routes give it: for tests of the views and for looking at them. */
import { ACCOUNT } from './samples/account.ts';
import { FACTOR_RECOVERY, FACTOR_RECOVERY_MAILS } from './samples/factor-recovery.ts';
import { FACTORS } from './samples/factors.ts';
import { LOGIN } from './samples/login.ts';
import { MAILED } from './samples/mailed.ts';
import { MAILS as TOLD } from './samples/mails.ts';
import { OTHERS } from './samples/others.ts';
import type { Sample } from './samples/people.ts';

export const MAILS: Sample[] = [...TOLD, ...FACTOR_RECOVERY_MAILS];

/** Each page as the routes show it first, then with faults, with nothing, and with names that are too long. */
export const PAGES: Sample[] = [...LOGIN, ...MAILED, ...FACTORS, ...FACTOR_RECOVERY, ...OTHERS, ...ACCOUNT];

/** The data of one sample. @throws Error when there is none of that name */
export function sampleOf(id: string): Sample['data'] {
  const found = PAGES.find((sample) => sample.id === id);
  if (!found) throw new Error(`There is no sample "${id}".`);
  return found.data;
}
