/** A rolling update in short; `npm run proofs` lets both versions run for a minute. */
import { testFew } from './proofs/proof.ts';
import { proofs } from './proofs/versions.proof.ts';

testFew(...proofs);
