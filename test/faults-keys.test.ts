/** One emergency under load; `npm run proofs` has six. What a schedule and `keys rotate` do is in keys.test.ts. */
import { proofs } from './proofs/keys.proof.ts';
import { testFew } from './proofs/proof.ts';

testFew(...proofs);
