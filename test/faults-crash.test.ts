/** A few kills; `npm run proofs` has two hundred. */
import { proofs } from './proofs/crash.proof.ts';
import { testFew } from './proofs/proof.ts';

testFew(...proofs);
