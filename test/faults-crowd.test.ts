/** The few rounds of proofs/crowd.proof.ts that every run of the tests has time for. */
import { proofs } from './proofs/crowd.proof.ts';
import { testFew } from './proofs/proof.ts';

testFew(...proofs);
