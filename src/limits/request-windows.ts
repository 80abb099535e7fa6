/** Where requests are counted: in Redis where it is configured and answers, else in SQL. */
import type { Artifacts } from '../artifacts/artifacts.ts';
import type { SqlWindows } from './window-store.ts';
import {
  createLeasedWindows,
  createMemoryWindows,
  createPatientWindows,
  createSharedWindows,
  type Windows,
} from './windows.ts';

/** The part of a limit that a process counts ahead with one write. */
const LEASED = 30;

export function createRequestWindows({ sql, artifacts }: { sql: SqlWindows; artifacts: Artifacts }) {
  const counter = artifacts.volatile;
  const shared = (behind: Windows) => (counter ? createSharedWindows({ counter, behind }) : behind);
  return {
    /** For what tries secrets or sends mail: each hit is a write. */
    exact: shared(sql),

    /** For many requests that cost little. */
    cheap(max: number): Windows {
      const size = Math.max(1, Math.floor(max / LEASED));
      const leased = createLeasedWindows({ count: sql.count, size });
      // Around SQL alone: a Redis that is slow has a patience of its own, and SQL goes on from it.
      return shared(createPatientWindows(leased, createMemoryWindows()));
    },
  };
}

export type RequestWindows = ReturnType<typeof createRequestWindows>;
