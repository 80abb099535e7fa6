import { currentSession } from '@/auth';
import { SignInButtons, StepUpButton } from '../session';

/** A page for people who signed in with two factors. The issuer decides what these are; the ID token's `acr` says it. */
export default async function Admin() {
  const session = await currentSession();
  if (!session) {
    return (
      <>
        <h1>Please sign in to see this page</h1>
        <SignInButtons />
      </>
    );
  }
  if (session.acr !== 'urn:latchkey:mfa') {
    return (
      <>
        <h1>This page asks for a second step</h1>
        <StepUpButton />
      </>
    );
  }
  return (
    <>
      <h1>Administration</h1>
      <dl>
        <dt>Signed in with</dt>
        <dd id="acr">{session.acr}</dd>
      </dl>
    </>
  );
}
