/** The pages, the account API and the probes, each with a well-formed request. */
import type { Door, Plan, Setting } from './doors.ts';

export function pageDoors({ cookies, flow }: Setting, csrf: { flow: string; account: string }): Plan[] {
  const page = (path: string, cookie: string, params: Record<string, string>, optional: string[] = []): Plan => ({
    name: path.replace(flow, ':uid'),
    method: 'POST',
    path,
    place: 'form',
    params,
    required: Object.keys(params).filter((name) => !optional.includes(name)),
    headers: { accept: 'text/html', cookie },
    format: 'page',
  });
  const ofFlow = (path: string, params: Record<string, string> = {}, optional: string[] = []) =>
    page(path.replace(':uid', flow), cookies.underWay, { csrf: csrf.flow, ...params }, optional);
  const ofAccount = (path: string, params: Record<string, string> = {}, optional: string[] = []) =>
    page(path, cookies.signedIn, { csrf: csrf.account, ...params }, optional);
  const profile = { given_name: 'Ada', family_name: 'L', preferred_username: 'ada', locale: 'en', zoneinfo: 'UTC' };
  const reads = ['/login', '/register', '/verify', '/forgot', '/reset', '/consent']
    .map((start) => ({ path: `${start}/${flow}`, cookie: cookies.underWay }))
    .concat(
      ['', '/sessions', '/apps', '/security'].map((end) => ({ path: `/account${end}`, cookie: cookies.signedIn })),
    )
    .map(({ path, cookie }): Plan => {
      const door = page(path, cookie, { notice: 'resent' });
      return { ...door, name: `GET ${door.name}`, method: 'GET', place: 'query', required: [] };
    });
  return [
    ...reads,
    ofFlow('/login/:uid', { email: 'nobody@example.com', password: 'not the password' }),
    ofFlow('/register/:uid', { name: 'Ada', email: 'no address', password: 'not a bad password' }),
    ofFlow('/verify/:uid', { code: '000000' }),
    ofFlow('/verify/:uid/resend'),
    ofFlow('/forgot/:uid', { email: 'no address' }),
    ofFlow('/reset/:uid', { code: '000000', password: 'x', username: 'a', email: 'b' }, ['username', 'email']),
    ofFlow('/reset/:uid/resend'),
    ofFlow('/consent/:uid', { decision: 'switch' }),
    page('/invitation/unknown', '', { csrf: 'none', name: 'Ada', password: 'not a bad password' }),
    ofAccount('/account', { name: 'Ada', ...profile }, Object.keys(profile)),
    ofAccount('/account/security/password', { current_password: 'wrong', new_password: 'x', username: 'a' }, [
      'username',
    ]),
    ofAccount('/account/sessions/unknown/end'),
    ofAccount('/account/apps/unknown/remove'),
    ofAccount('/account/security/devices/unknown/forget'),
    page('/security/not-me/unknown', '', { csrf: 'none' }),
    page('/security/keep-factors/unknown', '', { csrf: 'none' }),
    ofAccount('/account/security/keep-factors'),
    {
      ...page('/account/callback', cookies.signedIn, { state: 'unknown', code: 'unknown' }),
      ...{ method: 'GET', place: 'query', required: [] },
    },
  ];
}

export function apiDoors({ tokens }: Setting): Plan[] {
  const headers = { authorization: `Bearer ${tokens.access_token}` };
  const door = (method: string, path: string, place: Door['place'], params: Record<string, string>): Plan => ({
    ...{ name: `${method} ${path}`, method, path, place, params, headers, format: 'problem' },
    required: place === 'query' ? Object.keys(params).filter((name) => name === 'except') : Object.keys(params),
  });
  return [
    door('GET', '/api/v1/account', 'query', {}),
    { ...door('PATCH', '/api/v1/account', 'json', { name: 'Ada', locale: 'en' }), required: [] },
    door('POST', '/api/v1/account/password', 'json', { current_password: 'wrong', new_password: 'x' }),
    door('GET', '/api/v1/account/sessions', 'query', { limit: '10' }),
    door('DELETE', '/api/v1/account/sessions', 'query', { except: 'current' }),
    door('DELETE', '/api/v1/account/sessions/unknown', 'query', {}),
    door('GET', '/api/v1/account/devices', 'query', { limit: '10' }),
    door('DELETE', '/api/v1/account/devices/unknown', 'query', {}),
    door('GET', '/api/v1/account/apps', 'query', { limit: '10' }),
    door('DELETE', '/api/v1/account/apps/unknown', 'query', {}),
  ];
}

/** Addresses without parameters. */
export function plainDoors(): Plan[] {
  const plan = (path: string, format: Door['format']): Plan => ({
    ...{ name: path, method: 'GET', path, place: 'query', params: { any: 'thing' }, required: [], format },
    headers: format === 'page' ? { accept: 'text/html' } : {},
  });
  const pages = [
    '/',
    '/docs',
    '/login',
    '/device/',
    '/account/signed-out',
    '/dev',
    '/dev/mail',
    '/oauth2/logout/success',
  ];
  return [
    ...pages.map((path) => plan(path, 'page')),
    ...['/livez', '/readyz', '/healthz'].map((path) => plan(path, 'problem')),
  ];
}
