/** The few rounds of proofs/clock.proof.ts that every run of the tests has time for. */
import { proofs } from './proofs/clock.proof.ts';
import { testFew } from './proofs/proof.ts';

testFew(...proofs);
