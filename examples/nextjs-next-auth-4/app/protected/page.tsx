import { currentSession } from '@/auth';
import { accessToken } from '@/tokens';
import { SessionEnd, SignInButtons } from '../session';

export default async function Protected() {
  const session = await currentSession();
  const account = session && (await readAccount());
  if (!account) {
    return (
      <>
        <h1>Please sign in to see this page</h1>
        <SignInButtons />
      </>
    );
  }
  return (
    <>
      <h1>Protected</h1>
      <dl>
        <dt>Name</dt>
        <dd id="name">{session.user?.name}</dd>
        <dt>E-mail</dt>
        <dd id="email">{session.user?.email}</dd>
        <dt>Session of this app ends</dt>
        <dd id="expires">
          <SessionEnd />
        </dd>
      </dl>
      <h2>The account, read from the issuer with the access token</h2>
      <pre id="account">{JSON.stringify(account, null, 2)}</pre>
      <form action="/logout" method="post">
        <button type="submit">Sign out</button>
      </form>
    </>
  );
}

/** null when the token is no longer good: the session was ended at the issuer. */
async function readAccount(): Promise<unknown> {
  const token = await accessToken();
  if (!token) return null;
  const response = await fetch(`${process.env.LATCHKEY_ISSUER}/api/v1/account`, {
    headers: { authorization: `Bearer ${token}` },
    cache: 'no-store',
  });
  if (response.status === 401) return null;
  if (!response.ok) throw new Error(`The account API answered ${response.status}.`);
  return response.json();
}
