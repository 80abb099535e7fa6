/** The few rounds of proofs/once.proof.ts that every run of the tests has time for. */
import { proofs } from './proofs/once.proof.ts';
import { testFew } from './proofs/proof.ts';

testFew(...proofs);
