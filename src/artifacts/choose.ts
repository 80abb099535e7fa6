/** Which backend keeps which artifact: Redis where it is configured, SQL for everything else and for what a volatile
 * store must not forget (replay ids that live longer than a minute). */
import type { Artifacts } from './artifacts.ts';

const VOLATILE_REPLAY_MS = 60_000;

export function chooseArtifacts({ sql, redis }: { sql: Artifacts; redis?: Artifacts | undefined }): Artifacts {
  if (!redis) return sql;
  return {
    ...redis,
    insert: (kind, id, payload, expiresAt) =>
      (expiresAt - Date.now() > VOLATILE_REPLAY_MS ? sql : redis).insert(kind, id, payload, expiresAt),
    async find(kind, id) {
      return (await redis.find(kind, id)) ?? (kind === 'ReplayDetection' ? sql.find(kind, id) : undefined);
    },
    purge: sql.purge,
  };
}
