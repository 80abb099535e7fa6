/** A rolling restart; `npm run proofs` has more of them. */
import { testFew } from './proofs/proof.ts';
import { proofs } from './proofs/stop.proof.ts';

testFew(...proofs);
