/** What can happen to the embedded database; `npm run proofs` does it longer. */
import { testFew } from './proofs/proof.ts';
import { proofs } from './proofs/storage.proof.ts';

testFew(...proofs);
