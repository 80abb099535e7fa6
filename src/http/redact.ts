/** What may stand in a log line: no secret under any known name, and no character that could forge a line. */

const CENSORED = '[redacted]';
const MAX_DEPTH = 5;

/** `code` is an authorization or e-mail code; the code of an error is logged as `error_code`. */
const SECRET_NAME =
  /^(?:.*_)?(?:authorization|cookie|set_cookie|password|passphrase|code|user_code|device_code|token|secret|id_token_hint|assertion|client_assertion|code_verifier|dpop|private_key|request_uri|api_key|csrf|otp)$/;

const PUBLIC_NAME = /^(?:error_code|status_code|exit_code)$/;

/** In free text: bearer credentials, and `name=value` of secrets in addresses. */
const SECRET_TEXT =
  /\b(bearer|dpop|basic)\s+[\w.~+/=-]+|\b((?:[a-z_]*(?:token|secret|password|assertion)|code|code_verifier|id_token_hint)=)[^&\s"']+/gi;

/** Control characters, and the separators and direction marks that viewers obey. */
const CONTROL = /[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu;

/** A copy of `value` that is fit for the log. Errors, dates and other objects with a class are left to serializers. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return cleanText(value);
  if (typeof value !== 'object' || value === null) return value;
  if (depth > MAX_DEPTH) return '[deep]';
  if (Array.isArray(value)) return value.map((item) => redact(item, depth + 1));
  if (!isPlain(value)) return value;
  const clean: Record<string, unknown> = {};
  for (const [name, item] of Object.entries(value)) {
    const shown = cleanText(name);
    // Assigned, this name would change the copy's prototype.
    if (shown === '__proto__') continue;
    clean[shown] = isSecretName(name) ? CENSORED : redact(item, depth + 1);
  }
  return clean;
}

/** Printable ASCII without spaces and `=`: nothing of what is masked or spelt out can be in it. */
const HARMLESS = /^[!-<>-~]*$/;

/** Secrets masked, control characters spelt out as `\u000a`. */
export function cleanText(text: string): string {
  if (HARMLESS.test(text)) return text;
  return text
    .replace(SECRET_TEXT, (_all, scheme, name) => `${scheme ? `${scheme} ` : name}${CENSORED}`)
    .replace(CONTROL, (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** Name, message, code, stack frames and cause of an error, nothing else: drivers hang rows and credentials on theirs. */
export function describeError(error: unknown, depth = 0): Record<string, unknown> {
  if (!(error instanceof Error)) return { type: typeof error, message: cleanText(String(error)) };
  const frames = (error.stack ?? '').split('\n').filter((line) => /^\s+at /.test(line));
  const described: Record<string, unknown> = {
    type: cleanText(error.name),
    message: cleanText(error.message),
    stack: frames.map(cleanText).join('\n'),
  };
  if ('code' in error) described['error_code'] = cleanText(String(error.code));
  if (error.cause !== undefined && depth < MAX_DEPTH) described['cause'] = describeError(error.cause, depth + 1);
  return described;
}

/** Names come in snake, kebab and camel case, and as headers (`DPoP`). */
function isSecretName(name: string): boolean {
  const known = verdicts.get(name);
  if (known !== undefined) return known;
  const verdict = namesSecret(name);
  if (verdicts.size < MOST_VERDICTS) verdicts.set(name, verdict);
  return verdict;
}

/** The names in our own log calls are few; names from outside must not fill the memory. */
const MOST_VERDICTS = 1000;
const verdicts = new Map<string, boolean>();

function namesSecret(name: string): boolean {
  const plain = name.replaceAll('-', '_').toLowerCase();
  const snake = name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase();
  return !PUBLIC_NAME.test(snake) && (SECRET_NAME.test(plain) || SECRET_NAME.test(snake));
}

function isPlain(value: object): boolean {
  const prototype = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
