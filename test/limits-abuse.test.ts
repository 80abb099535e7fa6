/** The few guesses of proofs/abuse.proof.ts that every run of the tests has time for. */
import { proofs } from './proofs/abuse.proof.ts';
import { testFew } from './proofs/proof.ts';

testFew(...proofs);
