/** One application, stage or process for all tests of a file: started by the first that asks, ended after the last. */
import { after, type TestContext } from 'node:test';
import { type AppOptions, startApp, type TestApp } from './app.ts';
import { createStage, type Stage } from './doors.ts';
import { type Issuer, type IssuerOptions, startIssuer } from './issuer.ts';
import { startPostgres } from './postgres.ts';

function shared<Made>(make: (t: TestContext) => Promise<Made>): () => Promise<Made> {
  const hooks: Array<() => unknown> = [];
  const life = { after: (hook: () => unknown) => hooks.push(hook) } as unknown as TestContext;
  let made: Promise<Made> | undefined;
  after(async () => {
    await made?.catch(() => {});
    for (const hook of hooks.toReversed()) await hook();
  });
  return () => {
    made ??= make(life);
    return made;
  };
}

/** One on SQLite or PostgreSQL for the subtests of a test, ended with it. */
export async function startOn(t: TestContext, engine: string, { env, ...options }: AppOptions): Promise<TestApp> {
  if (engine === 'SQLite') return startApp(t, { ...options, env: { ...env } });
  const postgres = await startPostgres();
  const url = await postgres.database({ prepared: 'start' });
  const app = await startApp(t, { ...options, env: { ...env, LATCHKEY_DATABASE_URL: url } });
  // Behind the application's own end.
  t.after(() => postgres.stop());
  return app;
}

export const sharedApp = (options: AppOptions = {}): (() => Promise<TestApp>) => shared((t) => startApp(t, options));
export const sharedIssuer = (options: IssuerOptions = {}): (() => Promise<Issuer>) =>
  shared((t) => startIssuer(t, options));
export const sharedStage = (): (() => Promise<Stage>) => shared((t) => createStage(t));
