/** The protocol's endpoints, each with a well-formed request. */
import { createHash, randomBytes } from 'node:crypto';
import { DEVICE_GRANT, type Plan, RESOURCE, type Setting, SIGNED_OUT } from './doors.ts';
import { CALLBACK } from './flow.ts';

export function protocolDoors({ client, tokens, cookies }: Setting, xsrf: { device: string; signOut: string }): Plan[] {
  const secret = { client_id: client.client_id, client_secret: client.client_secret };
  const challenge = createHash('sha256').update(randomBytes(32)).digest('base64url');
  const request = {
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri: CALLBACK,
    scope: 'openid email',
    code_challenge: challenge,
    code_challenge_method: 'S256',
  };
  const optional = {
    state: 'a-state',
    nonce: 'a-nonce',
    prompt: 'login',
    max_age: '600',
    ui_locales: 'en',
    login_hint: 'somebody@example.com',
    acr_values: '0',
    claims: '{"userinfo":{"email":null}}',
    claims_locales: 'en',
    response_mode: 'query',
    display: 'page',
    resource: RESOURCE,
  };
  const { state: _s, response_mode: _m, prompt: _p, ...ofDevices } = optional;
  const need = ['client_id', 'response_type', 'redirect_uri', 'code_challenge', 'code_challenge_method'];
  const oauth = { headers: {}, format: 'oauth' } as const;
  const form = { ...oauth, method: 'POST', place: 'form' } as const;
  const html = { accept: 'text/html' };
  const browser = { headers: { ...html, cookie: cookies.signedIn }, format: 'page' } as const;
  const grant = (name: string, params: Record<string, string>, required: string[]): Plan => ({
    ...form,
    name: `token ${name}`,
    path: '/oauth2/token',
    params: { ...secret, grant_type: name, ...params },
    required: ['client_id', 'client_secret', 'grant_type', ...required],
  });
  const signOut = {
    id_token_hint: tokens.id_token as string,
    post_logout_redirect_uri: SIGNED_OUT,
    client_id: client.client_id,
    state: 'a-state',
    ui_locales: 'en',
    logout_hint: 'somebody',
  };
  const ofTokens = { ...secret, token: tokens.access_token, token_type_hint: 'access_token' };
  const documents = ['openid-configuration', 'oauth-authorization-server', 'jwks.json'].map(
    (name): Plan => ({
      ...oauth,
      name,
      method: 'GET',
      path: `/.well-known/${name}`,
      place: 'query',
      params: { any: 'thing' },
      required: [],
    }),
  );
  return [
    ...documents,
    {
      ...{ name: 'authorize', method: 'GET', path: '/oauth2/authorize', place: 'query', headers: html },
      ...{ params: { ...request, ...optional }, required: need, format: 'page' },
    },
    grant('authorization_code', { code: 'unknown', redirect_uri: CALLBACK, code_verifier: 'v'.repeat(43) }, ['code']),
    grant('refresh_token', { refresh_token: tokens.refresh_token as string, scope: 'openid' }, ['refresh_token']),
    grant('client_credentials', { scope: 'things:read', resource: RESOURCE }, []),
    grant(DEVICE_GRANT, { device_code: 'unknown' }, ['device_code']),
    {
      ...{ ...oauth, name: 'userinfo', method: 'GET', path: '/oauth2/userinfo', place: 'query' },
      ...{ params: { scope: 'openid' }, required: [], headers: { authorization: `Bearer ${tokens.access_token}` } },
    },
    {
      ...{ ...form, name: 'userinfo by POST', path: '/oauth2/userinfo' },
      ...{ params: { access_token: tokens.access_token, scope: 'openid' }, required: ['access_token'] },
    },
    {
      ...{ ...form, name: 'introspect', path: '/oauth2/introspect' },
      ...{ params: ofTokens, required: ['client_id', 'client_secret', 'token'] },
    },
    {
      ...{ ...form, name: 'revoke', path: '/oauth2/revoke' },
      ...{ params: { ...ofTokens, token: 'unknown' }, required: ['client_id', 'client_secret', 'token'] },
    },
    {
      ...{ ...form, name: 'par', path: '/oauth2/par' },
      ...{ params: { ...secret, ...request, ...optional }, required: ['client_secret', ...need] },
    },
    {
      ...{ ...form, name: 'device_authorization', path: '/oauth2/device_authorization' },
      ...{ params: { ...secret, scope: 'openid', ...ofDevices }, required: ['client_id', 'client_secret'] },
    },
    {
      ...{ ...browser, name: 'device', method: 'GET', path: '/device', place: 'query' },
      ...{ params: { user_code: 'BCDF-GHJK' }, required: [] },
    },
    {
      ...{ ...browser, name: 'device by POST', method: 'POST', path: '/device', place: 'form' },
      ...{ params: { xsrf: xsrf.device, user_code: 'BCDF-GHJK', confirm: 'yes' }, required: ['xsrf', 'user_code'] },
    },
    {
      ...{ ...browser, name: 'logout', method: 'GET', path: '/oauth2/logout', place: 'query' },
      ...{ params: signOut, required: [], headers: html },
    },
    {
      ...{ ...browser, name: 'logout/confirm', method: 'POST', path: '/oauth2/logout/confirm', place: 'form' },
      ...{ params: { xsrf: 'not-the-one', logout: 'yes' }, required: ['xsrf'] },
    },
    {
      ...{ ...browser, name: 'logout/success', method: 'GET', path: '/oauth2/logout/success', place: 'query' },
      ...{ params: { client_id: client.client_id }, required: [] },
    },
    {
      ...{ name: 'webfinger', method: 'GET', path: '/.well-known/webfinger', place: 'query', headers: {} },
      ...{ params: { resource: 'acct:somebody@example.com', rel: 'http://openid.net/specs/connect/1.0/issuer' } },
      ...{ required: ['resource'], format: 'problem' },
    },
  ];
}
