/** Every hosted page and mail with data as the routes give it: for tests of the views and for looking at them. */
import { ACCOUNT } from './samples/account.ts';
import { FACTORS } from './samples/factors.ts';
import { LOGIN } from './samples/login.ts';
import { MAILED } from './samples/mailed.ts';
import { OTHERS } from './samples/others.ts';
import type { Sample } from './samples/people.ts';

export { MAILS } from './samples/mails.ts';

/** Each page as the routes show it first, then with faults, with nothing, and with names that are too long. */
export const PAGES: Sample[] = [...LOGIN, ...MAILED, ...FACTORS, ...OTHERS, ...ACCOUNT];

/** The data of one sample. @throws Error when there is none of that name */
export function sampleOf(id: string): Sample['data'] {
  const found = PAGES.find((sample) => sample.id === id);
  if (!found) throw new Error(`There is no sample "${id}".`);
  return found.data;
}
