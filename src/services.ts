/** The parts without HTTP, built once and in order: storage, secrets, features. The pages and the command line are
 * doors to these. */
import { join } from 'node:path';
import type { Logger } from 'pino';
import { createRoleStore } from './access/role-store.ts';
import { createRoles } from './access/roles.ts';
import { createSecondFactorRule } from './access/second-factor.ts';
import { slowedEvents } from './accounts/slowed.ts';
import { createAccountStore } from './accounts/store.ts';
import { createSqlArtifacts } from './artifacts/sql.ts';
import { createAuditLog } from './audit/log.ts';
import { openRedis, openSmtp } from './backends.ts';
import type { ConfigFile } from './config/file.ts';
import { redirectUriFault } from './config/redirect-uri.ts';
import type { Settings } from './config/settings.ts';
import { connect, type DatabaseTarget } from './db/connect.ts';
import { pendingMigrations } from './db/migrate.ts';
import { createExporters } from './exporters.ts';
import { createFactorParts } from './factors/parts.ts';
import { createAssets } from './http/assets.ts';
import { createI18n, type Locale, readCatalogues } from './http/i18n.ts';
import { createOutbound } from './http/outbound.ts';
import { createRenderer } from './http/render.ts';
import { createDeadLetters } from './jobs/dead-letters.ts';
import { createOutbox } from './jobs/outbox.ts';
import { createOutboxStore } from './jobs/store.ts';
import { createKeyring } from './keyring/keyring.ts';
import { createDataKeyStore } from './keyring/store.ts';
import { createLimits } from './limits/parts.ts';
import { createMailbox } from './mail/mailbox.ts';
import { createPost } from './mail/post.ts';
import { createClientStore } from './oidc/client-store.ts';
import { clientWords } from './oidc/client-words.ts';
import { createClients } from './oidc/clients.ts';
import { createConsentStore } from './oidc/consent-store.ts';
import { createConsents } from './oidc/consents.ts';
import { keyRules } from './oidc/key-states.ts';
import { createKeyStore } from './oidc/key-store.ts';
import { createKeys, rotationEvent } from './oidc/keys.ts';
import { ACCOUNT_CLIENT_ID } from './oidc/provider.ts';
import { createResources } from './oidc/resources.ts';
import { clientValidator } from './oidc/validate.ts';
import type { LimitName, Metrics } from './ops/metrics.ts';
import { createPeople } from './people.ts';
import { assetsDir, migrationsDir, packageAssets, viewsDir } from './places.ts';
import { createEndings } from './sessions/endings.ts';
import { createGrantStore } from './sessions/grant-store.ts';
import { createRefreshReplayStore } from './sessions/refresh-replay-store.ts';
import { createRefreshTokenStore } from './sessions/refresh-token-store.ts';
import { createSessionStore } from './sessions/session-store.ts';
import { createSessions } from './sessions/sessions.ts';
import { createTombstones } from './sessions/tombstone-store.ts';
import { createMemory, createSignIns } from './sign-ins.ts';

export function databaseTarget(settings: Settings): DatabaseTarget {
  return { url: settings.databaseUrl, file: join(settings.dataDir, 'latchkey.db') };
}

export interface ServicesOptions {
  settings: Settings;
  file: ConfigFile;
  log: Logger;
  /** Nobody is served: statements may take as long as they need, and units more memory. */
  patient?: boolean;
  /** Hears of what happened, after it is done. */
  observer?: Pick<Metrics, 'database' | 'recorded' | 'delivered' | 'limited'>;
}

/** @throws DatabaseFault, KeyringFault, PlacesFault with a sentence for the operator. */
export async function openServices({ settings, file, log, observer, patient }: ServicesOptions) {
  const issuer = settings.issuer.origin;
  const db = await connect({ ...databaseTarget(settings), observe: observer?.database, patient });
  const keyring = await createKeyring({ store: createDataKeyStore(db), secretKeys: settings.secretKeys });
  const audit = createAuditLog({
    db,
    keyring,
    onRecorded: observer?.recorded,
    retentionMs: settings.auditRetention * 1000,
    onCheckpoint: ({ seq, chain, jws }) => log.info({ checkpoint: `${seq}:${chain}`, jws }, 'audit checkpoint'),
    onError: (error) => log.error({ err: error }, 'the audit log could not be sealed; the next round tries again'),
  });
  const artifacts = settings.redisUrl
    ? await openRedis({ url: settings.redisUrl, db, keyring, log })
    : createSqlArtifacts({ db, keyring });

  const branding = { name: 'Latchkey', links: {}, ...file.branding };
  const i18n = createI18n({ catalogues: readCatalogues(viewsDir) });
  const assets = createAssets(assetsDir, packageAssets);
  const renderer = createRenderer({
    viewsDir,
    i18n,
    branding,
    issuer,
    development: settings.development,
    assetUrl: assets.url,
  });

  const mailbox = settings.smtpUrl ? undefined : createMailbox({ dir: settings.dataDir, keep: 200 });
  const mailer = mailbox ?? (await openSmtp({ url: settings.smtpUrl as string, from: settings.mailFrom, log }));
  const outboxStore = createOutboxStore({ db, keyring });
  const deadLetters = createDeadLetters({ db, store: outboxStore, audit });
  const outbox = createOutbox({
    store: outboxStore,
    handlers: {
      mail: createPost({
        mailer,
        render: (locale, template, data) => renderer.mail(mailLocale(locale), template, data),
      }),
    },
    onDelivered: (kind) => observer?.delivered(kind, 'sent'),
    onFailure(job, error) {
      observer?.delivered(job.kind, job.dead ? 'dead' : 'failed');
      log.warn({ job, err: error }, job.dead ? 'a delivery failed for good' : 'a delivery failed and will be repeated');
    },
  });

  // In development the applications run on this machine, too.
  const neighbours = settings.development ? ['localhost', '127.0.0.0/8', '::1/128'] : [];
  const outbound = createOutbound({ allow: [...settings.outboundAllow, ...neighbours] });
  const resources = createResources(file.resources);
  const keys = createKeys({
    store: createKeyStore({ db, keyring }),
    rules: keyRules(settings.keyRotation, settings.ttl, file.resources),
    record: (facts) => audit.record(rotationEvent(facts)),
    onRotated: (facts) => log.info(facts, 'the signing keys were rotated'),
    onError: (error) => log.warn({ err: error }, 'the signing keys could not be looked at; trying again each second'),
  });
  const validate = clientValidator({ issuer, resources, keys: keys.current, redirectFault: redirectUriFault });
  const clientStore = createClientStore({ db, keyring });
  const clients = createClients({ db, audit, store: clientStore, validate, resourceScopes: resources.scopes });
  const consents = createConsents({ db, audit, store: createConsentStore(db) });
  const grants = createGrantStore({ db, keyring });
  const sessionRows = createSessionStore({ db, keyring, strong: settings.factors.strong });
  const refreshTokens = createRefreshTokenStore({ db, keyring, grants });
  const sessions = createSessions({
    db,
    sessions: sessionRows,
    grants,
    endings: createEndings({
      openSession: sessionRows.open,
      audit,
      wantsNotice: clientStore.wantsLogoutNotice,
      notify: (notice) => outbox.enqueue('logout', notice),
    }),
    max: settings.limits.sessions,
    wake: outbox.wake,
    consents,
    client: async (id) => (id === ACCOUNT_CLIENT_ID ? undefined : clientWords(await clients.find(id))),
    endUnfinished: (id, kept) => ends.endUnfinished(id, kept),
    forgetTokens: artifacts.revokeByGrantId,
  });

  // A padded range of breached passwords is larger than other answers.
  const ranges = createOutbound({ allow: [...settings.outboundAllow, ...neighbours], maxBytes: 512 * 1024 });
  const { findByEmail } = createAccountStore(db);
  const onLimited = (limit: LimitName) => observer?.limited(limit);
  const limits = createLimits({
    db,
    keyring,
    audit,
    artifacts,
    secureCookies: settings.secureCookies,
    rules: settings.limits,
    onSlowed: slowedEvents({ audit, accountOf: findByEmail }),
    onRefused: onLimited,
    accountOf: findByEmail,
    onAlarm: (facts) => log.error(facts, 'ALARM: the mails of one purpose are used up for this hour'),
    onUnrecorded: (error) => log.warn({ err: error }, 'a refusal was not recorded'),
    onError: (error) => log.warn({ err: error }, 'the rules for addresses could not be read'),
  });
  const { windows } = limits;
  const { remembered, ...ends } = createMemory({ db, keyring, audit, settings }, sessions.ending, (id, cause) =>
    people.factorRecovery.stop(id, cause),
  );
  const { endSessions } = ends;
  const roles = createRoles({ db, store: createRoleStore(db), audit, declared: file.roles });
  const { parts, ...people } = createPeople({
    exporters: createExporters({
      ...{ sessions: sessionRows, grants, consents, audit, outbox: outboxStore, remembered, roles },
      factors: { of: (accountId) => factorParts.factors.of(accountId) },
    }),
    settings,
    db,
    keyring,
    audit,
    outbox,
    ranges,
    serviceName: branding.name,
    issuer,
    endSessions,
    clearFactors: (accountId) => factorParts.factors.clearAll(accountId),
    ...{ limits, onLimited },
  });
  const factorParts = createFactorParts({
    ...{ db, keyring, artifacts, audit, outbox, serviceName: branding.name, ...ends, attempts: parts.attempts },
    passkeyParty: settings.passkeys,
    requireSettled: people.factorRecovery.requireSettled,
    epochOf: async (id) => (await people.accounts.enterable(id))?.signedOutAt,
    async recipient(id) {
      const account = await parts.store.byId(id);
      return account && { to: account.emailCanonical, locale: account.profile.locale };
    },
  });
  const secondFactor = createSecondFactorRule({
    ...{ everybody: settings.factors.required === 'everybody', roles, remembered: remembered.has },
    kindsOf: factorParts.factors.kindsOf,
  });

  return {
    ...{ settings, issuer, log, db, keyring, audit, artifacts },
    ...{ i18n, assets, renderer, branding, mailbox, mailer },
    ...{ outbox, deadLetters, outbound, resources },
    clients,
    consents,
    rows: { Session: sessionRows, Grant: grants, RefreshToken: refreshTokens },
    keys,
    ...limits,
    refreshReplays: createRefreshReplayStore({ db, keyring }),
    tombstones: createTombstones(db),
    sessions,
    ...people,
    ...createSignIns({ ...parts, audit, windows, endSessions }, settings),
    ...factorParts,
    remembered,
    roles,
    secondFactor,
    pending: () => pendingMigrations(db, migrationsDir),

    async close(): Promise<void> {
      await keys.stop();
      await outbox.stop();
      await limits.refusals.settled();
      await audit.stop();
      await mailer.close();
      await outbound.close();
      await ranges.close();
      await artifacts.close();
      await db.close();
    },
  };

  function mailLocale(locale: string | null): Locale {
    return i18n.negotiate({ uiLocales: locale ?? '' });
  }
}

export type Services = Awaited<ReturnType<typeof openServices>>;
