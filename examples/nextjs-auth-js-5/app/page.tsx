import Link from 'next/link';
import { login, register } from '@/actions';
import { currentSession } from '@/auth';

export default async function Home() {
  const session = await currentSession();
  return (
    <>
      <h1>Next.js with Latchkey</h1>
      {session ? (
        <p>
          Signed in as {session.user?.name}. <Link href="/protected">Go to the protected page</Link>
        </p>
      ) : (
        <form>
          <button type="submit" formAction={login}>
            Sign in
          </button>
          <button type="submit" formAction={register}>
            Register
          </button>
        </form>
      )}
    </>
  );
}
