/** Signing keys that are replaced in an emergency while two instances issue: what one signs, the other publishes. */
import assert from 'node:assert/strict';
import * as jose from 'jose';
import type { TestApp } from '../support/app.ts';
import { token } from '../support/flow.ts';
import { twoInstances } from '../support/instances.ts';
import { type Proof, pause } from './proof.ts';

const RESOURCE = 'https://api.example.com';
const MACHINE = { grant_types: ['client_credentials'], response_types: [] };
const CONFIG = `
resources:
  - identifier: ${RESOURCE}
    name: API
    signing_alg: ES256
    scopes:
      - name: read
        title: Read
`;

const replaced: Proof<{ rotations: number; 'ms between': number }> = {
  fault: 'every signing key replaced under load, two instances',
  promise:
    'no failed request, every token verifies with the key set of either instance, the old keys are gone after it',
  few: { rotations: 1, 'ms between': 300 },
  full: { rotations: 6, 'ms between': 10_000 },

  async run(t, { rotations, 'ms between': rest }) {
    const [issuer, other] = await twoInstances(t, { config: CONFIG });
    const places = [issuer.url, other];
    const client = await issuer.createClient({ client_name: 'Machine', ...MACHINE });
    const params = { grant_type: 'client_credentials', scope: 'read', resource: RESOURCE };
    const used = new Set<string | undefined>();
    let verified = 0;
    let running = true;

    async function load(from: string, judge: string): Promise<void> {
      while (running) {
        const { status, body } = await token({ url: from } as unknown as TestApp, client, params);
        assert.equal(status, 200, JSON.stringify(body));
        const { protectedHeader } = await jose.jwtVerify(body.access_token, await keySet(judge));
        used.add(protectedHeader.kid);
        verified += 1;
        await pause(5);
      }
    }
    const loads = places.flatMap((from) => places.map((judge) => load(from, judge)));
    const watched = Promise.all(loads);
    watched.catch(() => {});
    try {
      for (let round = 0; round < rotations; round += 1) {
        await Promise.race([pause(rest), watched]);
        const { stdout } = await issuer.run('keys', 'rotate', '--now', '--yes', '--json');
        const { items, dropped } = JSON.parse(stdout) as { items: { kid: string }[]; dropped: string[] };
        assert.ok(dropped.length >= 3);
        await pause(1000);
        const fresh = items.map(({ kid }) => kid).sort();
        for (const place of places) assert.deepEqual(await kids(place), fresh, 'the new keys, and only they');
      }
    } finally {
      running = false;
    }
    await watched;
    assert.equal(used.size, rotations + 1, 'every key has signed');
    return `${verified} tokens of ${used.size} keys verified, each with the key set of that moment; 0 requests failed`;
  },
};

async function jwks(origin: string): Promise<jose.JSONWebKeySet> {
  return (await (await fetch(`${origin}/.well-known/jwks.json`)).json()) as jose.JSONWebKeySet;
}

const keySet = async (origin: string) => jose.createLocalJWKSet(await jwks(origin));
const kids = async (origin: string) => (await jwks(origin)).keys.map(({ kid }) => kid as string).sort();

export const proofs = [replaced];
