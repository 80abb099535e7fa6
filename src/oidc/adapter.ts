/**
 * The protocol core's storage contract on our stores: long-lived models have tables of their own, everything else is
 * an artifact. The core has no compare-and-swap, so `consume` throws its own InvalidGrant when another request won,
 * and a replay id that is known already throws on insertion (both become OAuth answers, not a 500).
 */
import Provider, { type Adapter, type AdapterPayload, errors } from 'oidc-provider';
import type { Artifact, Artifacts, LivingArtifact, StoredGrant } from '../artifacts/artifacts.ts';
import { mayBe } from '../artifacts/identifier.ts';
import { orUnavailable } from './unavailable.ts';

export interface Visit {
  ip: string | null;
  userAgent: string | null;
  sessionUid?: string | undefined;
}

type Payload = Record<string, unknown>;

/** What a long-lived model's table offers; each store has the methods that its model uses. */
export interface ModelRows {
  upsert(id: string, payload: Payload, expiresAt: number, visit: Visit): Promise<void>;
  /** `onGrant` is told of the grant that came with the row. */
  find(id: string, onGrant?: (grant: StoredGrant) => void): Promise<object | undefined>;
  destroy(id: string): Promise<void>;
  findByUid?(uid: string): Promise<object | undefined>;
  /** Fails with `lost` for all but one, at the latest at the end of the request. */
  claim?(id: string, lost: () => Error): Promise<void>;
}

export interface AdapterOptions {
  artifacts: Artifacts;
  rows: Partial<Record<string, ModelRows>>;
  /** Opens a grant's row that came with something else. */
  openGrant(row: StoredGrant): object;
  /** Whether requests to this path take the grant as it was when its token was read. */
  carriesGrants(path: string): boolean;
  /** When a request came, in milliseconds since 1970. */
  arrivedAt(req: import('node:http').IncomingMessage): number;
  /** When everything of the account was ended for the last time (milliseconds), 0 for never. */
  epochOf(accountId: string): Promise<number | undefined>;
  /** The address and user agent of the request under way. */
  visitorOf(req: import('node:http').IncomingMessage): { ip: string | null; userAgent: string | null };
}

/**
 * What tokens are given for, in one unit: when they can't be stored, it is not used up either. Who comes with it after
 * it was used is a thief, and what it gave ends (RFC 9700 section 2.1.1, RFC 6749 section 4.1.2); but not who comes in
 * the same moments: parallel requests of one caller, perhaps at two instances, must not end what one of them got.
 */
const USED_UP_BY_TOKENS: ReadonlySet<string> = new Set(['AuthorizationCode', 'DeviceCode']);

/** Worth nothing without their grant, which the core asks for next. */
const OF_GRANTS: ReadonlySet<string> = new Set(['AccessToken', 'AuthorizationCode']);

export const PARALLEL_MS = 2000;
const usedUp = () => new errors.InvalidGrant('this value was used already');

/** Twenty years, in seconds: for models that the core saves without a lifetime (clients). */
const UNLIMITED = 20 * 365 * 86_400;

export function createAdapter(options: AdapterOptions): (model: string) => Adapter {
  function visit(): Visit {
    const ctx = Provider.ctx;
    if (!ctx) return { ip: null, userAgent: null };
    return { ...options.visitorOf(ctx.req), sessionUid: ctx.oidc?.session?.uid };
  }

  /** Of a request: the grant that its token was read with, for the core asks for it next. */
  const carried = new WeakMap<object, StoredGrant>();

  function carry(grant: StoredGrant): void {
    const ctx = Provider.ctx;
    if (ctx && options.carriesGrants(ctx.path)) carried.set(ctx, grant);
  }

  function withCarried(rows: ModelRows): ModelRows {
    return {
      ...rows,
      async find(id) {
        const grant = carried.get(Provider.ctx ?? rows);
        return grant?.id === id ? options.openGrant(grant) : rows.find(id);
      },
    };
  }

  return (model) => {
    const rows = options.rows[model];
    if (!rows) {
      const adapter = artifactAdapter(model, options, carry);
      return guarded(model === 'Interaction' ? withoutEnded(adapter, options) : adapter);
    }
    return guarded(rowsAdapter(model, model === 'Grant' ? withCarried(rows) : rows, visit, carry));
  };
}

interface FinishedSignIn {
  accountId: string;
  /** Milliseconds since 1970; 0.1.0 did not note it. */
  at?: number;
  /** Seconds since 1970. */
  ts?: number;
  /** What `epochOf` said when it began. */
  epoch?: number;
}

/** A sign-in that was finished and waits for its browser is nobody's once the account was signed out everywhere. */
function withoutEnded(adapter: Adapter, { epochOf }: AdapterOptions): Adapter {
  return {
    ...adapter,
    async find(id) {
      const found = await adapter.find(id);
      const login = (found as { result?: { login?: FinishedSignIn } } | undefined)?.result?.login;
      if (!found || !login) return found;
      const now = await epochOf(login.accountId);
      // Of 0.1.0, which notes when the sign-in was finished only.
      const { epoch = (now ?? 0) > finishedAt(login) ? undefined : now } = login;
      if (now !== undefined && epoch === now) return found;
      const { result: _ended, ...rest } = found as Payload;
      return rest as AdapterPayload;
    },
  };
}

/** In whole seconds the beginning of the one: what may have been before the end counts as before it. */
const finishedAt = ({ at, ts = 0 }: FinishedSignIn): number => at ?? ts * 1000;

function expiry(expiresIn: number | undefined): number {
  return Date.now() + (expiresIn ?? UNLIMITED) * 1000;
}

/** The core revokes model by model and then the grant; the end of the grant takes all of it in one unit of work. */
async function endedWithGrant(): Promise<void> {}

function rowsAdapter(
  model: string,
  rows: ModelRows,
  visit: () => Visit,
  onGrant: (grant: StoredGrant) => void,
): Adapter {
  return {
    upsert: (id, payload, expiresIn) => rows.upsert(id, payload as Payload, expiry(expiresIn), visit()),
    find: async (id) => (mayBe(model, id) ? ((await rows.find(id, onGrant)) as AdapterPayload | undefined) : undefined),
    findByUid: async (uid) => (await rows.findByUid?.(uid)) as AdapterPayload | undefined,
    findByUserCode: async () => undefined,
    consume: async (id) => rows.claim?.(id, () => new errors.InvalidGrant('refresh token was used already')),
    destroy: (id) => rows.destroy(id),
    revokeByGrantId: endedWithGrant,
  };
}

function artifactAdapter(
  kind: string,
  { artifacts, arrivedAt }: AdapterOptions,
  onGrant: (grant: StoredGrant) => void,
): Adapter {
  const givesTokens = USED_UP_BY_TOKENS.has(kind);

  /** @throws InvalidGrant for who lost a race and would pass for a thief. */
  function refuseParallel({ consumedAt }: Artifact): void {
    const ctx = consumedAt === undefined || !givesTokens ? undefined : Provider.ctx;
    if (ctx?.oidc?.route !== 'token') return;
    if (arrivedAt(ctx.req) < (consumedAt as number) + PARALLEL_MS) throw usedUp();
  }

  /** Tokens and codes may sit in a volatile store, so SQL is asked whether their grant still lives. */
  async function loaded(id: string): Promise<AdapterPayload | undefined> {
    if (!mayBe(kind, id)) return undefined;
    const artifact: LivingArtifact | undefined = await (OF_GRANTS.has(kind)
      ? artifacts.findLiving(kind, id)
      : artifacts.find(kind, id));
    if (!artifact) {
      // Revoked while its store is away, a token must not come back with the store (RFC 7009 section 2.2).
      const revoking = Provider.ctx?.oidc?.route === 'revocation';
      if (revoking && artifacts.volatile?.away()) await artifacts.destroy(kind, id);
      return undefined;
    }
    refuseParallel(artifact);
    if (artifact.grant) onGrant(artifact.grant);
    return restored(id, artifact);
  }

  return {
    async upsert(id, payload, expiresIn) {
      const { jti: _secret, ...kept } = payload as Payload;
      if (kind === 'ReplayDetection') {
        if (!(await artifacts.insert(kind, id, kept, expiry(expiresIn)))) {
          throw new errors.InvalidRequest('this proof or assertion was used already');
        }
        return;
      }
      // A device code is found by its user code too, and must then know its own name; the payload is sealed.
      const stored = kind === 'DeviceCode' ? { ...kept, id } : kept;
      await artifacts.upsert(kind, id, stored, expiry(expiresIn), {
        grantId: kept['grantId'] as string | undefined,
        userCode: kept['userCode'] as string | undefined,
      });
    },
    find: loaded,
    // Only sessions are looked up by uid; they have a table of their own.
    findByUid: async () => undefined,
    async findByUserCode(userCode) {
      const artifact = await artifacts.findByUserCode(kind, userCode);
      return artifact && restored(artifact.payload['id'] as string, artifact);
    },
    async consume(id) {
      if (givesTokens && artifacts.claim) return artifacts.claim(kind, id, usedUp);
      if (await artifacts.consume(kind, id)) return;
      if (kind === 'PushedAuthorizationRequest') throw new errors.InvalidRequestUri('request_uri was used already');
      throw usedUp();
    },
    destroy: (id) => artifacts.destroy(kind, id),
    revokeByGrantId: endedWithGrant,
  };
}

/** The payload is a new object each time it is read: it is completed, not copied. */
function restored(id: string, { payload, consumedAt }: Artifact): AdapterPayload {
  payload['jti'] = id;
  if (consumedAt !== undefined) payload['consumed'] = Math.floor(consumedAt / 1000);
  return payload as AdapterPayload;
}

function guarded(adapter: Adapter): Adapter {
  return {
    upsert: orUnavailable(adapter.upsert),
    find: orUnavailable(adapter.find),
    findByUid: orUnavailable(adapter.findByUid),
    findByUserCode: orUnavailable(adapter.findByUserCode),
    consume: orUnavailable(adapter.consume),
    destroy: orUnavailable(adapter.destroy),
    revokeByGrantId: orUnavailable(adapter.revokeByGrantId),
  } as Adapter;
}
