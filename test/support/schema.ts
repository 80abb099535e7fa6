/** What a database is made of, in a form that can be compared: every table with its columns, and every index. */
import type { Database } from '../../src/db/database.ts';

export async function schemaOf(db: Database): Promise<string[]> {
  if (db.dialect === 'sqlite') {
    const rows = await db.all<{ sql: string }>(
      "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' ORDER BY type, name",
    );
    return rows.map(({ sql }) => sql.replace(/\s+/g, ' '));
  }
  const columns = await db.all<Record<string, string>>(
    `SELECT table_name, column_name, data_type, is_nullable, column_default FROM information_schema.columns
     WHERE table_schema = current_schema() ORDER BY table_name, column_name`,
  );
  const indexes = await db.all<Record<string, string>>(
    'SELECT indexdef FROM pg_indexes WHERE schemaname = current_schema() ORDER BY indexdef',
  );
  return [...columns, ...indexes].map((row) => Object.values(row).join(' | '));
}
