/** One application, stage or process for all tests of a file: started by the first that asks, ended after the last. */
import { after, type TestContext } from 'node:test';
import { type AppOptions, startApp, type TestApp } from './app.ts';
import { createStage, type Stage } from './doors.ts';
import { type Issuer, type IssuerOptions, startIssuer } from './issuer.ts';

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

export const sharedApp = (options: AppOptions = {}): (() => Promise<TestApp>) => shared((t) => startApp(t, options));
export const sharedIssuer = (options: IssuerOptions = {}): (() => Promise<Issuer>) =>
  shared((t) => startIssuer(t, options));
export const sharedStage = (): (() => Promise<Stage>) => shared((t) => createStage(t));
