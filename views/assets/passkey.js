// Passkeys on the hosted pages: a form with `data-passkey` is shown once this script knows that the browser can do what
// it asks for. The answer travels in the form itself, so that what follows is an ordinary page. Without this script, or
// without passkeys, nothing of it is seen.

const { browserSupportsWebAuthn, browserSupportsWebAuthnAutofill, startAuthentication, startRegistration } =
  globalThis.SimpleWebAuthnBrowser;
const { WebAuthnAbortService } = globalThis.SimpleWebAuthnBrowser;

/** A challenge lives for five minutes; the autofill of a page that stays open asks for a new one before. */
const RENEW_MS = 4 * 60_000;
/** Tells the server that this browser can make a passkey, so that it may offer one. */
const ABLE = 'latchkey_passkeys=1; path=/; samesite=lax';

async function optionsOf(form) {
  const headers = { 'x-csrf-token': form.elements.csrf.value };
  const response = await fetch(form.dataset.options, { method: 'POST', headers });
  if (response.ok) return response.json();
  // The sign-in or the session ended in the meantime: the page itself says so.
  if (response.status === 401 || response.status === 410) window.location.reload();
  throw new Error(`the server answered ${response.status}`);
}

function send(form, answer) {
  form.elements.response.value = JSON.stringify(answer);
  HTMLFormElement.prototype.submit.call(form);
}

function say(form, error) {
  const status = form.querySelector('[data-status]');
  const known = error?.name === 'InvalidStateError';
  const stopped = error?.name === 'NotAllowedError' || error?.name === 'AbortError';
  status.textContent = known ? status.dataset.known : stopped ? status.dataset.stopped : status.dataset.failed;
}

async function perform(form) {
  const button = form.querySelector('button');
  form.querySelector('[data-status]').textContent = '';
  button.setAttribute('aria-disabled', 'true');
  try {
    const ceremony = form.dataset.passkey === 'create' ? startRegistration : startAuthentication;
    send(form, await ceremony({ optionsJSON: await optionsOf(form) }));
  } catch (error) {
    say(form, error);
    if ('autofill' in form.dataset) autofill(form);
  } finally {
    button.removeAttribute('aria-disabled');
  }
}

/** Offers passkeys among the suggestions of the e-mail field for as long as the page is open. */
async function autofill(form) {
  if (!(await browserSupportsWebAuthnAutofill())) return;
  for (let again = true; again; ) {
    again = false;
    let timer;
    try {
      const optionsJSON = await optionsOf(form);
      timer = setTimeout(() => {
        again = true;
        WebAuthnAbortService.cancelCeremony();
      }, RENEW_MS);
      send(form, await startAuthentication({ optionsJSON, useBrowserAutofill: true }));
    } catch {
      // Stopped by the button's own ceremony, by the clock, or by the browser: nobody asked for it, nobody is told.
    } finally {
      clearTimeout(timer);
    }
  }
}

async function sayAble() {
  if (!(await PublicKeyCredential.isUserVerifyingPlatformAuthenticatorAvailable())) return;
  // biome-ignore lint/suspicious/noDocumentCookie: the cookie store is not in every browser yet
  document.cookie = window.location.protocol === 'https:' ? `${ABLE}; secure` : ABLE;
}

if (browserSupportsWebAuthn()) {
  for (const form of document.querySelectorAll('form[data-passkey]')) {
    form.hidden = false;
    form.addEventListener('submit', (event) => {
      event.preventDefault();
      if (!form.querySelector('button[aria-disabled]')) perform(form);
    });
    if ('autofill' in form.dataset) {
      autofill(form);
      sayAble().catch(() => {});
    }
  }
  for (const words of document.querySelectorAll('[data-without-passkeys]')) words.hidden = true;
}
