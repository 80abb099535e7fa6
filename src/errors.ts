/**
 * The closed list of failures this service knows. A known one carries a code, a status and words for the caller;
 * anything else that is thrown is a bug: a bare 500 outside, the whole error in the log.
 */
const STATUS = {
  invalid_request: 400,
  invalid_credentials: 401,
  unauthenticated: 401,
  invalid_token: 401,
  fresh_proof_required: 401,
  second_factor_required: 401,
  invalid_code: 400,
  code_expired: 400,
  weak_password: 400,
  registration_closed: 403,
  email_domain_not_allowed: 403,
  csrf: 403,
  insufficient_scope: 403,
  forbidden: 403,
  account_disabled: 403,
  not_found: 404,
  method_not_allowed: 405,
  not_acceptable: 406,
  conflict: 409,
  interaction_expired: 410,
  body_too_large: 413,
  unsupported_media_type: 415,
  misdirected_request: 421,
  too_many_attempts: 429,
  internal_error: 500,
  storage_unavailable: 503,
  busy: 503,
} as const;

export type ErrorCode = keyof typeof STATUS;

/** Every code with its HTTP status, for the API description. */
export const ERROR_STATUS: Readonly<Record<ErrorCode, number>> = STATUS;

/** One fault of one input field. `code` is a key of the message catalogue (`error.<code>`). */
export interface FieldError {
  field: string;
  code: string;
  values?: Record<string, string | number>;
}

export interface AppErrorOptions {
  /** Words for the caller, in English; pages translate by code instead. */
  message?: string;
  fields?: FieldError[];
  /** Seconds, for `Retry-After`. */
  retryAfter?: number;
  headers?: Record<string, string>;
  cause?: unknown;
}

export class AppError extends Error {
  readonly code: ErrorCode;
  readonly status: number;
  readonly fields: FieldError[];
  readonly retryAfter: number | undefined;
  readonly headers: Record<string, string>;
  /** Koa shows the message of an exposed error only. */
  readonly expose = true;

  constructor(code: ErrorCode, options: AppErrorOptions = {}) {
    super(options.message ?? code, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'AppError';
    this.code = code;
    this.status = STATUS[code];
    this.fields = options.fields ?? [];
    this.retryAfter = options.retryAfter;
    this.headers = options.headers ?? {};
  }
}
