/** A backup under load and its restore, once, and a few kills; `npm run proofs` has more. What each keeps and ends is in backup.test.ts. */
import { proofs } from './proofs/backup.proof.ts';
import { testFew } from './proofs/proof.ts';

testFew(...proofs);
