/** Brings one database up to date and says so; a process that is made to be killed. Arguments: the target as JSON. */
import type { DatabaseTarget } from '../../src/db/connect.ts';
import { migrate } from '../../src/db/migrate.ts';
import { migrationsDir } from '../../src/places.ts';

process.stdout.write('begun\n');
const applied = await migrate(JSON.parse(process.argv[2] as string) as DatabaseTarget, migrationsDir);
process.stdout.write(`applied ${applied.length}\n`);
