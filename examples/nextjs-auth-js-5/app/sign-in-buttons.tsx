import { login, register } from '@/actions';

export function SignInButtons() {
  return (
    <form>
      <button type="submit" formAction={login}>
        Sign in
      </button>
      <button type="submit" formAction={register}>
        Register
      </button>
    </form>
  );
}
