/** The contract of short-lived values (codes, interactions, pushed requests, replay ids, device codes, opaque access
 * tokens), whichever backend keeps them. Identifiers arrive and leave as the protocol knows them. */

export interface Artifact {
  payload: Record<string, unknown>;
  /** Set once `consume` won, in milliseconds since 1970. */
  consumedAt?: number;
}

/** An artifact whose grant lives, if it has one, with the row of that grant as it is stored. */
export interface LivingArtifact extends Artifact {
  grant?: StoredGrant;
}

export interface StoredGrant {
  id: string;
  /** Sealed by `sessions`. */
  payload: string;
}

export interface ArtifactKeys {
  grantId?: string | undefined;
  userCode?: string | undefined;
}

export interface Artifacts {
  /** Stores or replaces the whole value. `expiresAt` in milliseconds since 1970. */
  upsert(
    kind: string,
    id: string,
    payload: Record<string, unknown>,
    expiresAt: number,
    keys: ArtifactKeys,
  ): Promise<void>;
  /** False when the id is known already (replay ids; RFC 9449 section 11.1, RFC 7523 section 3). */
  insert(kind: string, id: string, payload: Record<string, unknown>, expiresAt: number): Promise<boolean>;
  find(kind: string, id: string): Promise<Artifact | undefined>;
  /** As `find`, and only while its grant lives; one look tells both and brings the grant. */
  findLiving(kind: string, id: string): Promise<LivingArtifact | undefined>;
  findByUserCode(kind: string, userCode: string): Promise<Artifact | undefined>;
  /** Compare-and-swap: true for exactly one caller, whatever the number of parallel ones. The caller has loaded the
   * value before: one that a store lost in between may be consumed once. */
  consume(kind: string, id: string): Promise<boolean>;
  /** As `consume`, taken for won: whoever was later fails with `lost`, at the latest at the end of its request. Absent
   * where the answer can't be taken back. */
  claim?(kind: string, id: string, lost: () => Error): Promise<void>;
  destroy(kind: string, id: string): Promise<void>;
  /** The grant has ended: no value of it is found again. */
  revokeByGrantId(grantId: string): Promise<void>;
  /** Removes at most `limit` expired values; resolves with how many. */
  purge(limit: number): Promise<number>;
  /** Of a volatile store in front of SQL; absent without one. */
  volatile?: {
    state(): VolatileState;
    /** What is not found now may be there and come back. */
    away(): boolean;
    /** Counts a hit in a fixed window; undefined when that can't be done now. What it forgets nobody finds elsewhere. */
    count(key: string, durationMs: number, now: number): Promise<{ current: number; before: number } | undefined>;
  };
  close(): Promise<void>;
}

/** `degraded`: its work is done in SQL, or it may lose values (`maxmemory-policy`). */
export type VolatileState = 'up' | 'degraded';

/** Rows stay this long after their expiry, because the protocol core loads expired ones to answer precisely. */
export const AFTERLIFE_MS = 60_000;

/** What says "no" (replay ids, marks, counts of failures, blocked networks) stays this much longer than it says no: a
 * sweep goes by the clock of one machine, and forgets nothing for good while that clock is wrong by an hour. */
export const NO_LONGER_MS = 2 * 3_600_000;
