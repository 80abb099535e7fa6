/** openid-client 6, as a device, a service and a resource server use it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as oauth from 'openid-client';
import { createBrowser } from '../support/browser.ts';
import type { Issuer } from '../support/issuer.ts';
import { sharedIssuer } from '../support/one-app.ts';
import { newPerson, register } from './person.ts';

const browser = createBrowser();
const oneIssuer = sharedIssuer();
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

test('a device shows a code, a person allows it in a browser, and the device is signed in', async (t) => {
  const issuer = await oneIssuer();
  const client = await issuer.createClient({
    client_name: 'Living room',
    token_endpoint_auth_method: 'none',
    redirect_uris: [],
    response_types: [],
    grant_types: [DEVICE_GRANT, 'refresh_token'],
  });
  const config = await discover(issuer, client.client_id, oauth.None());
  const device = await oauth.initiateDeviceAuthorization(config, { scope: 'openid profile email' });
  assert.equal(new URL(device.verification_uri).origin, issuer.url);

  const waiting = oauth.pollDeviceAuthorizationGrant(config, device);
  waiting.catch(() => {}); // looked at below
  const person = newPerson();
  const page = await browser.page(t);
  await page.goto(device.verification_uri_complete ?? device.verification_uri);
  await page.getByText(device.user_code).waitFor();
  await page.getByRole('button').first().click();
  await page.locator('a[href*="register"]').click();
  await register(page, issuer, person);

  const tokens = await waiting;
  assert.equal(tokens.claims()?.['email'], person.email);
  const info = await oauth.fetchUserInfo(config, tokens.access_token, tokens.claims()!.sub);
  assert.equal(info.name, person.name);
  const renewed = await oauth.refreshTokenGrant(config, tokens.refresh_token!);
  assert.notEqual(renewed.access_token, tokens.access_token);
});

test('a service gets a token by itself, and introspection tells whether it is alive', async () => {
  const issuer = await oneIssuer();
  const client = await issuer.createClient({
    client_name: 'Nightly report',
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
  });
  const config = await discover(issuer, client.client_id, oauth.ClientSecretBasic(client.client_secret));
  const tokens = await oauth.clientCredentialsGrant(config);
  const alive = await oauth.tokenIntrospection(config, tokens.access_token);
  assert.equal(alive.active, true);
  assert.equal(alive.client_id, client.client_id);

  await oauth.tokenRevocation(config, tokens.access_token);
  assert.deepEqual({ ...(await oauth.tokenIntrospection(config, tokens.access_token)) }, { active: false });
});

test('a wrong secret is refused in words that a developer can act on', async () => {
  const issuer = await oneIssuer();
  const client = await issuer.createClient({
    client_name: 'Nightly report',
    redirect_uris: [],
    response_types: [],
    grant_types: ['client_credentials'],
  });
  const config = await discover(issuer, client.client_id, oauth.ClientSecretPost('not the secret'));
  await assert.rejects(oauth.clientCredentialsGrant(config), { error: 'invalid_client', status: 401 });
});

function discover(issuer: Issuer, clientId: string, authentication: oauth.ClientAuth): Promise<oauth.Configuration> {
  const execute = [oauth.allowInsecureRequests];
  return oauth.discovery(new URL(issuer.url), clientId, undefined, authentication, { execute });
}
