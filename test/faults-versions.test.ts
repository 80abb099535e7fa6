/** A rolling update in short, on PostgreSQL, where instances share a database; `npm run proofs` has SQLite and a minute of each. */
import { testFew } from './proofs/proof.ts';
import { postgres } from './proofs/versions.proof.ts';

testFew(postgres);
