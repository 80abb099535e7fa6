/**
 * What a User-Agent header says about a device, in words a person recognises. The header is a claim of whoever sends
 * it: only names from a known list come out, so that nobody writes words of their own into somebody's list of sessions.
 */
import bowser from 'bowser';

export interface Device {
  /** English, for example "Firefox on Linux". Pages in other languages put `browser` and `os` together themselves. */
  name: string;
  browser: string | null;
  os: string | null;
}

/** Real headers are shorter; what comes after is not looked at. */
const MAX_PARSED = 512;

/** Programs without a browser, which bowser doesn't know. The name has to start the header. */
const PROGRAMS: [RegExp, string][] = [
  [/^(?:node|node\.js|undici|node-fetch)(?:$|[/ ])/i, 'Node.js'],
  [/^curl(?:$|\/)/i, 'curl'],
  [/^wget(?:$|\/)/i, 'Wget'],
  [/^(?:openid-client|oauth4webapi)(?:$|\/)/i, 'openid-client'],
  [/^axios(?:$|\/)/i, 'axios'],
  [/^(?:python-requests|python-httpx|python-urllib|python|aiohttp)(?:$|[/ ])/i, 'Python'],
  [/^go-http-client(?:$|\/)/i, 'Go'],
  [/^okhttp(?:$|\/)/i, 'OkHttp'],
  [/^postmanruntime(?:$|\/)/i, 'Postman'],
  [/^insomnia(?:$|\/)/i, 'Insomnia'],
  [/^httpie(?:$|\/)/i, 'HTTPie'],
];

const SHORTER: Record<string, string> = {
  'Microsoft Edge': 'Edge',
  'Samsung Internet for Android': 'Samsung Internet',
};
const BROWSERS = new Set(Object.values(bowser.BROWSER_MAP));
const SYSTEMS = new Set(Object.values(bowser.OS_MAP));

/** Never throws, whatever the header is. */
export function describeDevice(userAgent: string | null): Device {
  const header = (userAgent ?? '').slice(0, MAX_PARSED).trim();
  const program = PROGRAMS.find(([pattern]) => pattern.test(header))?.[1];
  const { browser, os } = program ? { browser: program, os: null } : parsed(header);
  return { name: inWords(browser, os), browser, os };
}

function parsed(header: string): { browser: string | null; os: string | null } {
  // bowser throws on an empty string.
  if (header === '') return { browser: null, os: null };
  const result = bowser.parse(header);
  const browser = known(result.browser.name, BROWSERS);
  const os = known(result.os.name, SYSTEMS);
  const tablet = os === 'iOS' && result.platform.type === 'tablet';
  return { browser: browser && (SHORTER[browser] ?? browser), os: tablet ? 'iPadOS' : os };
}

const known = (name: string | undefined, names: Set<string>) => (name !== undefined && names.has(name) ? name : null);

function inWords(browser: string | null, os: string | null): string {
  if (browser && os) return `${browser} on ${os}`;
  return browser ?? os ?? 'Unknown device';
}
