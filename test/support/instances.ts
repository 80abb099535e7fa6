/** Two instances on one PostgreSQL, each with an address of its own for a test that chooses which it asks. */
import { createServer, request } from 'node:http';
import type { TestContext } from 'node:test';
import { type Issuer, type IssuerOptions, startIssuer } from './issuer.ts';
import { startPostgres } from './postgres.ts';
import { preparedSecretKey } from './prepared.ts';
import { startRedis } from './redis.ts';

/** The issuer, and an address at which the other instance answers to its name. */
export async function twoInstances(
  t: TestContext,
  { redis = false, ...options }: IssuerOptions & { redis?: boolean } = {},
): Promise<[Issuer, string]> {
  const postgres = await startPostgres();
  const volatile = redis ? await startRedis() : undefined;
  t.after(() => Promise.all([postgres.stop(), volatile?.stop()]));
  const env = {
    ...options.env,
    LATCHKEY_DATABASE_URL: await postgres.database({ prepared: 'start' }),
    LATCHKEY_SECRET_KEY: preparedSecretKey(),
    ...(volatile ? { LATCHKEY_REDIS_URL: volatile.url } : {}),
  };
  const one = await startIssuer(t, { ...options, env });
  const two = await startIssuer(t, { ...options, env: { ...env, LATCHKEY_ISSUER: one.url } });
  const proxy = await hostRewriter(t, Number(two.env['LATCHKEY_PORT']), new URL(one.url).host);
  return [one, proxy];
}

/** A proxy that sends the host which the service answers to, as one in front of several instances does. */
export async function hostRewriter(t: TestContext, port: number, host: string): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const passed = request({ host: '127.0.0.1', port, method, path: url, headers: { ...headers, host } }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    passed.on('error', () => outgoing.destroy());
    incoming.pipe(passed);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  return `http://127.0.0.1:${(server.address() as { port: number }).port}`;
}
