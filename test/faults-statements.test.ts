/** The few rounds of proofs/statements.proof.ts that every run of the tests has time for. */
import { testFew } from './proofs/proof.ts';
import { proofs } from './proofs/statements.proof.ts';

testFew(...proofs);
