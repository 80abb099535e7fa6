/**
 * Sign-in through the system's browser, and tokens that stay fresh (RFC 8252). Knows nothing of Electron: how a
 * browser is opened and where the refresh token is kept are functions given to it.
 */
import * as oauth from 'openid-client';
import { type Callback, listenOnLoopback } from './loopback.ts';

/** Refresh this long before the end, so that a token does not run out on its way to an API. */
const EARLY_MS = 5_000;
const SIGN_IN_MS = 10 * 60_000;

export interface FlowOptions {
  issuer: string;
  clientId: string;
  scope?: string;
  /** Plan B where no port can be had: a redirect URI such as `com.example.app:/callback`. */
  customSchemeUri?: string;
  openBrowser(url: string): Promise<void>;
  /** Keeps one secret between two starts of the app. */
  store: { load(): Promise<string | null>; save(refreshToken: string): Promise<void>; clear(): Promise<void> };
  listen?: typeof listenOnLoopback;
}

/** There is nobody signed in, or no longer: offer to sign in. Any other error may pass by itself. */
export class SignInRequired extends Error {
  override name = 'SignInRequired';
}

export function createFlow({ issuer, clientId, store, openBrowser, ...options }: FlowOptions) {
  const { scope = 'openid profile email account:read', customSchemeUri, listen = listenOnLoopback } = options;
  let configuration: Promise<oauth.Configuration> | undefined;
  let access: { token: string; until: number } | undefined;
  let refreshToken: string | null | undefined; // undefined: not read from the store yet
  let refreshing: Promise<string> | undefined;
  let waiting: { accepts(url: URL): boolean; resolve(url: URL): void; cancel(reason: Error): void } | undefined;

  /** OpenID Connect Discovery, once; a failure is tried again at the next call. */
  function configured(): Promise<oauth.Configuration> {
    const execute = new URL(issuer).protocol === 'http:' ? [oauth.allowInsecureRequests] : []; // development
    configuration ??= oauth.discovery(new URL(issuer), clientId, undefined, oauth.None(), { execute });
    configuration.catch(() => {
      configuration = undefined;
    });
    return configuration;
  }

  /** Opens the browser and waits for the person. A second call takes the place of the first.
   * @throws oauth.AuthorizationResponseError when the person or the issuer says no. */
  async function signIn(): Promise<void> {
    const config = await configured();
    const state = oauth.randomState();
    const nonce = oauth.randomNonce();
    const verifier = oauth.randomPKCECodeVerifier();
    const callback = await openCallback((url) => url.searchParams.get('state') === state);
    try {
      const url = oauth.buildAuthorizationUrl(config, {
        redirect_uri: callback.redirectUri,
        scope,
        state,
        nonce,
        code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
        code_challenge_method: 'S256',
      });
      await openBrowser(url.href);
      const checks = { expectedState: state, expectedNonce: nonce, pkceCodeVerifier: verifier };
      const tokens = await oauth.authorizationCodeGrant(config, await callback.received, checks);
      await refreshing?.catch(() => {}); // or its end would replace what we got
      await keep(tokens);
    } finally {
      callback.close();
    }
  }

  async function openCallback(accepts: (url: URL) => boolean): Promise<Callback> {
    const loopback = await listen(accepts).catch((error) => {
      if (customSchemeUri) return undefined;
      throw error;
    });
    const { promise, resolve, reject } = Promise.withResolvers<URL>();
    promise.catch(() => {}); // cancelled before anybody waits
    const own = { accepts, resolve, cancel: reject };
    const timer = setTimeout(() => reject(new Error('Nobody signed in within ten minutes.')), SIGN_IN_MS);
    waiting?.cancel(new Error('Another sign-in was started.'));
    waiting = own;
    loopback?.received.then(resolve);
    const close = () => {
      clearTimeout(timer);
      loopback?.close();
      if (waiting === own) waiting = undefined;
    };
    return { redirectUri: loopback?.redirectUri ?? customSchemeUri ?? '', received: promise, close };
  }

  /** Gives in an address of the custom scheme that the system delivered. Strangers' addresses are ignored. */
  function handleUrl(text: string): void {
    const url = URL.parse(text);
    if (url && customSchemeUri && url.protocol === new URL(customSchemeUri).protocol && waiting?.accepts(url)) {
      waiting.resolve(url);
    }
  }

  /** An access token that is good for some seconds at least; at most one refresh is under way.
   * @throws SignInRequired */
  async function accessToken(): Promise<string> {
    if (access && Date.now() < access.until - EARLY_MS) return access.token;
    refreshing ??= refresh().finally(() => {
      refreshing = undefined;
    });
    return refreshing;
  }

  async function refresh(): Promise<string> {
    if (refreshToken === undefined) refreshToken = await store.load();
    if (!refreshToken) throw new SignInRequired('Nobody is signed in.');
    try {
      return await keep(await oauth.refreshTokenGrant(await configured(), refreshToken));
    } catch (error) {
      if (!(error instanceof oauth.ResponseBodyError) || error.error !== 'invalid_grant') throw error;
      await forget();
      throw new SignInRequired('You were signed out. Please sign in again.', { cause: error });
    }
  }

  /** A refresh token works once: the next one is in safety before anybody gets the access token. */
  async function keep(tokens: oauth.TokenEndpointResponse & oauth.TokenEndpointResponseHelpers): Promise<string> {
    refreshToken = tokens.refresh_token ?? refreshToken ?? null;
    if (refreshToken) await store.save(refreshToken);
    access = { token: tokens.access_token, until: Date.now() + (tokens.expiresIn() ?? 0) * 1000 };
    return access.token;
  }

  async function forget(): Promise<void> {
    access = undefined;
    refreshToken = null;
    await store.clear();
  }

  /** Calls an API. A 401 means that the token was revoked before its time: one refresh tells whether we still may.
   * @throws SignInRequired */
  async function callApi(url: string, init: RequestInit = {}): Promise<Response> {
    const send = async (token: string) => {
      const headers = new Headers(init.headers);
      headers.set('authorization', `Bearer ${token}`);
      return fetch(url, { ...init, headers });
    };
    const token = await accessToken();
    const response = await send(token);
    if (response.status !== 401) return response;
    if (access?.token === token) access = undefined;
    return send(await accessToken());
  }

  /** Ends the app's tokens at the issuer (RFC 7009). Without a network they are forgotten here all the same. */
  async function signOut(): Promise<void> {
    await refreshing?.catch(() => {});
    const token = refreshToken === undefined ? await store.load() : refreshToken;
    await forget();
    if (token) await oauth.tokenRevocation(await configured(), token, { token_type_hint: 'refresh_token' });
  }

  return { signIn, handleUrl, accessToken, callApi, signOut };
}

export type Flow = ReturnType<typeof createFlow>;
