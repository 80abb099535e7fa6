/**
 * A person's own account book: what was asked is written and synced before it leaves, what was acknowledged after it
 * came. After a fault the book says what must be true. Knows the service by HTTP only.
 */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs';
import type { TestApp } from '../support/app.ts';
import { authorizationRequest, CALLBACK, codeOf, PASSWORD, signIn, token } from '../support/flow.ts';
import type { Issuer } from '../support/issuer.ts';
import { createVisitor } from '../support/visitor.ts';
import { oneOf } from './proof.ts';

const SCOPE = 'openid profile email account:read account:write';

/** `open`: asked and not acknowledged, so it may or may not have happened. */
interface Book {
  email: string;
  registered: 'no' | 'open' | 'yes';
  /** Any of these may be the password; one, unless a change is open. */
  passwords: string[];
  /** Every password that was ever asked for, in their order. */
  everyPassword: string[];
  /** The newest acknowledged tokens, unless something that would end them is open or done. */
  tokens?: { access: string; refresh: string } | undefined;
  /** A refresh of the newest token was asked and not answered. */
  refreshOpen: boolean;
  /** Acknowledged as ended: dead for ever. */
  ended: { access: string; refresh: string }[];
  /** An acknowledged code, which must not work a second time. */
  code?: Record<string, string> | undefined;
  disabled: 'no' | 'open' | 'yes';
}

export interface Counts {
  intents: number;
  acknowledged: number;
  checks: number;
}

/** The service said something else than "done" or "not now". */
export class WrongAnswer extends Error {}

/** 503 with `Retry-After` is "not now"; every other refusal of what must work is wrong. */
function refused(what: string, { status, headers }: { status: number; headers: Headers }, detail = ''): Error {
  if (status === 503 && headers.has('retry-after')) return new Error(`${what}: not now`);
  return new WrongAnswer(`${what}: ${status} ${detail.slice(0, 300)}`);
}

export interface LedgerOptions {
  /** What a life waits for after a password was changed. */
  afterPassword?: () => Promise<void>;
}

export function createLedger(
  issuer: Issuer,
  clientId: string,
  file: string,
  { afterPassword = async () => {} }: LedgerOptions = {},
) {
  const app = issuer as unknown as TestApp;
  const client = { client_id: clientId };
  const books: Book[] = [];
  const counts: Counts = { intents: 0, acknowledged: 0, checks: 0 };
  const journal = openSync(file, 'a');
  let number = 0;
  let resting = false;

  function write(kind: 'intents' | 'acknowledged', what: object): void {
    writeSync(journal, `${JSON.stringify({ kind, ...what })}\n`);
    fsyncSync(journal);
    counts[kind] += 1;
  }

  /** Writes the intent, does it, writes the acknowledgement. @throws when the answer was lost or "not now". */
  async function acknowledged<Result>(what: string, book: Book, work: () => Promise<Result>): Promise<Result> {
    write('intents', { what, email: book.email });
    const result = await work();
    write('acknowledged', { what, email: book.email });
    return result;
  }

  async function register(): Promise<Book> {
    number += 1;
    const email = `person${number}-${randomBytes(4).toString('hex')}@example.com`;
    const book: Book = {
      email,
      registered: 'no',
      passwords: [PASSWORD],
      everyPassword: [PASSWORD],
      refreshOpen: false,
      ended: [],
      disabled: 'no',
    };
    books.push(book);
    const visitor = createVisitor(issuer.url);
    const request = authorizationRequest(app, clientId, { prompt: 'create', scope: SCOPE });
    const form = await visitor.open(request.url);
    const verify = await visitor.submit(form, { name: 'Somebody', email, password: PASSWORD }, '^/register/');
    const { text } = await issuer.mail(email);
    book.registered = 'open';
    await acknowledged('register', book, async () => {
      const back = await visitor.submit(verify, { code: (/\b\d{6}\b/.exec(text) as RegExpExecArray)[0] }, '/verify/');
      const code = codeOf(back);
      if (!code) throw refused('register', back, back.url);
      book.registered = 'yes';
      await redeem(book, code, request.verifier);
    });
    return book;
  }

  async function redeem(book: Book, code: string, verifier: string): Promise<void> {
    const params = { grant_type: 'authorization_code', code, redirect_uri: CALLBACK, code_verifier: verifier };
    book.code = undefined;
    const answer = await token(app, client, params);
    if (answer.status !== 200) throw refused('code', answer, JSON.stringify(answer.body));
    const { body } = answer;
    book.code = params;
    book.tokens = { access: body.access_token, refresh: body.refresh_token as string };
    book.refreshOpen = false;
  }

  async function signInAgain(book: Book): Promise<void> {
    const visitor = createVisitor(issuer.url);
    const request = authorizationRequest(app, clientId, { scope: SCOPE });
    const page = await visitor.open(request.url);
    let last = page;
    for (const password of book.passwords) {
      const back = await signIn(visitor, page, { email: book.email, password });
      last = back;
      const code = codeOf(back);
      if (!code) continue;
      book.passwords = [password];
      return redeem(book, code, request.verifier);
    }
    throw refused('sign-in with an acknowledged password', last, last.url);
  }

  async function refresh(book: Book): Promise<void> {
    const { tokens } = book;
    if (!tokens) return signInAgain(book);
    book.refreshOpen = true;
    await acknowledged('refresh', book, async () => {
      const params = { grant_type: 'refresh_token', refresh_token: tokens.refresh };
      const answer = await token(app, client, params);
      if (answer.status !== 200) throw refused('refresh', answer, JSON.stringify(answer.body));
      const { body } = answer;
      book.tokens = { access: body.access_token, refresh: body.refresh_token as string };
      book.refreshOpen = false;
    });
  }

  async function changePassword(book: Book): Promise<void> {
    const [current] = book.passwords as [string];
    const next = `a sentence of ${randomBytes(6).toString('hex')}`;
    if (!book.tokens) await signInAgain(book);
    const authorization = `Bearer ${book.tokens?.access}`;
    book.passwords = [current, next];
    book.everyPassword.push(next);
    await acknowledged('password', book, async () => {
      const response = await fetch(`${issuer.url}/api/v1/account/password`, {
        method: 'POST',
        headers: { authorization, 'content-type': 'application/json' },
        body: JSON.stringify({ current_password: current, new_password: next }),
      });
      if (response.status !== 204) throw refused('password', response, await response.text());
      book.passwords = [next];
    });
    await afterPassword();
  }

  async function revoke(book: Book): Promise<void> {
    if (!book.tokens) await signInAgain(book);
    const tokens = book.tokens as NonNullable<Book['tokens']>;
    book.tokens = undefined;
    await acknowledged('revoke', book, async () => {
      const response = await (oneOf([true, false]) ? revokeToken(tokens.refresh) : endSessions(tokens.access));
      if (response.status >= 300) throw refused('revoke', response, await response.text());
      book.ended.push(tokens);
    });
  }

  async function revokeToken(refreshToken: string): Promise<Response> {
    const body = new URLSearchParams({ client_id: clientId, token: refreshToken });
    return fetch(`${issuer.url}/oauth2/revoke`, { method: 'POST', body });
  }

  /** The session that the token itself belongs to. */
  async function endSessions(access: string): Promise<Response> {
    const headers = { authorization: `Bearer ${access}` };
    const list = await fetch(`${issuer.url}/api/v1/account/sessions`, { headers });
    const { items } = (await list.json()) as { items?: { id: string; current: boolean }[] };
    const own = items?.find(({ current }) => current);
    if (!own) throw refused('sessions', list);
    return fetch(`${issuer.url}/api/v1/account/sessions/${own.id}`, { method: 'DELETE', headers });
  }

  async function disable(book: Book): Promise<void> {
    book.disabled = 'open';
    const { tokens } = book;
    book.tokens = undefined;
    await acknowledged('disable', book, () => issuer.run('users', 'disable', book.email));
    book.disabled = 'yes';
    if (tokens) book.ended.push(tokens);
  }

  async function refreshStatus(refreshToken: string): Promise<number> {
    const params = { grant_type: 'refresh_token', refresh_token: refreshToken };
    return (await token(app, client, params)).status;
  }

  /** Everything that the book says about one person. @throws AssertionError for a broken promise. */
  async function check(book: Book): Promise<void> {
    counts.checks += 1;
    if (book.registered === 'no') return;
    for (const { access, refresh: dead } of book.ended.slice(-2)) {
      const headers = { authorization: `Bearer ${access}` };
      assert.equal((await fetch(`${issuer.url}/oauth2/userinfo`, { headers })).status, 401, 'a revoked token is dead');
      assert.equal(await refreshStatus(dead), 400, 'a revoked refresh token is dead');
    }
    if (book.disabled === 'yes') return assert.rejects(signInAgain(book), WrongAnswer, 'disabled');
    if (book.disabled === 'open') return;
    if (book.registered === 'open') {
      // Wholly there, or wholly absent; there is no third way for it to fail.
      await signInAgain(book).catch((error) => assert.ok(error instanceof WrongAnswer, String(error)));
      if (book.tokens) book.registered = 'yes';
      return;
    }
    const { tokens } = book;
    if (tokens && !book.refreshOpen) {
      await refresh(book);
      assert.ok(book.tokens, 'the newest refresh token works');
    } else if (tokens) {
      // The answer was lost: asked again in time it is given again; else the person signs in again.
      assert.ok([200, 400].includes(await refreshStatus(tokens.refresh)));
    }
    book.tokens = undefined;
    const { code } = book;
    await signInAgain(book);
    if (code) {
      assert.equal((await token(app, client, code)).status, 400, 'a code works once');
      // The reuse ended what the code gave, which is not what the new sign-in gave.
    }
  }

  return {
    counts,
    books,

    /** One person's life until something breaks. Resolves with what broke it. */
    async live(): Promise<unknown> {
      try {
        resting = false;
        let book = await register();
        while (!resting) {
          const what = oneOf([refresh, refresh, refresh, signInAgain, changePassword, revoke, register]);
          if (what === register) book = await register();
          else await what(book);
        }
        return undefined;
      } catch (error) {
        return error;
      }
    },

    /** Lives that nothing broke end after what they are doing. */
    rest(): void {
      resting = true;
    },

    register,
    disable,
    check,
    signInAgain,
    refreshStatus,
    close: () => closeSync(journal),
  };
}
