/**
 * How surely somebody signed in. Methods are those of RFC 8176 (`amr`), with `email` for what its registry lacks; what
 * they are worth is an authentication context class (`acr`). Rules only: knows no storage and no page.
 */

/** Weakest first. `phr` and `phrh` are of OpenID Connect Extended Authentication Profile ACR Values 1.0. */
export const ACR_VALUES = ['urn:latchkey:email', 'urn:latchkey:pwd', 'urn:latchkey:mfa', 'phr', 'phrh'] as const;
export type Acr = (typeof ACR_VALUES)[number];

/**
 * `pwd` a password; `otp` a one-time code of an authenticator or of the saved recovery codes; `pop` a passkey, with
 * `hwk` when its key can not leave the device, else `swk`, and `user` when somebody was there; `mfa` when two factors
 * were proved; `email` a code or link that was mailed.
 */
export type Method = 'pwd' | 'otp' | 'pop' | 'hwk' | 'swk' | 'user' | 'mfa' | 'email';

/** Whether these methods reach the class. A mailed code is one factor whatever comes with it (SP 800-63B-4 3.1.3.1). */
export function meets(amr: readonly string[], acr: string): boolean {
  const has = (method: Method) => amr.includes(method);
  switch (acr as Acr) {
    case 'urn:latchkey:email':
      return amr.length > 0;
    case 'urn:latchkey:pwd':
      return has('pwd') || has('pop');
    case 'urn:latchkey:mfa':
      return has('mfa');
    case 'phr':
      return has('pop');
    case 'phrh':
      return has('hwk');
    default:
      return false;
  }
}

/** The methods together, in order of proof; a password with an authenticator makes two factors. */
export function together(amr: readonly string[], more: readonly Method[]): Method[] {
  const all = [...new Set([...amr, ...more])] as Method[];
  const two = all.includes('pwd') && hasSecondFactor(all);
  return two && !all.includes('mfa') ? [...all, 'mfa'] : all;
}

/** Whether something beyond a password or a mailbox was proved. */
export function hasSecondFactor(amr: readonly string[]): boolean {
  return amr.includes('otp') || amr.includes('pop');
}

/** What `acr` says: the first class that was asked for and reached, else the highest that was reached. */
export function reached(amr: readonly string[], asked: readonly string[] = []): string | undefined {
  return asked.find((acr) => meets(amr, acr)) ?? ACR_VALUES.findLast((acr) => meets(amr, acr));
}

export interface AcrRequest {
  values: string[];
  /** Asked by an essential claim (OpenID Connect Core 1.0 section 5.5.1.1), so that unknown values count, too. */
  essential: boolean;
}

/** What the parameters of an authorization request ask for; `acr_values` stands above the claims parameter. */
export function acrRequest(params: { acr_values?: unknown; claims?: unknown }): AcrRequest {
  if (typeof params.acr_values === 'string' && params.acr_values !== '') {
    return { values: params.acr_values.split(' ').filter((value) => value !== ''), essential: false };
  }
  const acr = claimsOf(params.claims)?.id_token?.acr;
  const given = acr?.values ?? (acr?.value === undefined ? [] : [acr.value]);
  const values = Array.isArray(given) ? given.filter((value) => typeof value === 'string') : [];
  return { values, essential: acr?.essential === true };
}

interface ClaimsParameter {
  id_token?: { acr?: { values?: unknown; value?: unknown; essential?: unknown } | null };
}

function claimsOf(claims: unknown): ClaimsParameter | undefined {
  if (typeof claims !== 'string') return claims as ClaimsParameter | undefined;
  try {
    return JSON.parse(claims);
  } catch {
    return undefined;
  }
}

/** Each list is a demand: one of its classes has to be reached. */
export type Demands = string[][];

/**
 * What the application asks and the operator demands for it. Values that nobody knows bind only as an essential claim.
 */
export function demandsOf(
  params: { acr_values?: unknown; claims?: unknown },
  client: { require_second_factor?: unknown } | undefined,
): Demands {
  const { values, essential } = acrRequest(params);
  const known = essential ? values : values.filter((value) => ACR_VALUES.includes(value as Acr));
  return [
    ...(known.length > 0 ? [known] : []),
    ...(client?.require_second_factor === true ? [['urn:latchkey:mfa']] : []),
  ];
}

export interface Proof {
  amr: readonly string[];
  /** It was long ago, or the session was not used for long since. */
  lapsed: boolean;
}

/** Classes that lapse sooner than the session (SP 800-63B-4 sections 2.2.3 and 2.3.3). */
const LAPSING = new Set<string>(['urn:latchkey:mfa', 'phr', 'phrh']);

export function satisfied(demands: Demands, { amr, lapsed }: Proof): boolean {
  return demands.every((demand) => demand.some((acr) => meets(amr, acr) && !(lapsed && LAPSING.has(acr))));
}
