/** The page in the window: shows the account, or the button to sign in. */
interface Answer {
  value?: unknown;
  signInRequired?: boolean;
  error?: string;
}
declare const latchkey: Record<'account' | 'signIn' | 'signOut', () => Promise<Answer>>;

const output = document.querySelector('#account')!;
const signIn = document.querySelector<HTMLButtonElement>('#sign-in')!;
const signOut = document.querySelector<HTMLButtonElement>('#sign-out')!;

async function show(earlier?: Answer): Promise<void> {
  const { value, error, signInRequired } = earlier?.error ? earlier : await latchkey.account();
  output.textContent = value ? JSON.stringify(value, null, 2) : (error ?? '');
  signIn.hidden = value !== undefined;
  signOut.hidden = signInRequired === true || value === undefined;
}

signIn.addEventListener('click', async () => show(await latchkey.signIn()));
signOut.addEventListener('click', async () => show(await latchkey.signOut()));
show();
