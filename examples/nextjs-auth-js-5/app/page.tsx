import Link from 'next/link';
import { currentSession } from '@/auth';
import { SignInButtons } from './sign-in-buttons';

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
        <SignInButtons />
      )}
    </>
  );
}
