/** The few rounds of proofs/migrations.proof.ts that every run of the tests has time for. */

import { proofs } from './proofs/migrations.proof.ts';
import { testFew } from './proofs/proof.ts';

testFew(...proofs);
