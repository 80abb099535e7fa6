/** A browser without a screen: cookies, redirects, and the forms of a page as they would be sent. */

export interface Page {
  url: string;
  status: number;
  html: string;
  headers: Headers;
}

export interface Form {
  action: string;
  fields: Record<string, string>;
}

const ENTITIES: Record<string, string> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", '#34': '"' };
const unescaped = (text: string) =>
  text.replace(/&(amp|lt|gt|quot|#39|#34);/g, (_all, name: string) => ENTITIES[name] as string);
const attribute = (tag: string, name: string) => {
  const found = new RegExp(`\\s${name}="([^"]*)"`).exec(tag);
  return found ? unescaped(found[1] as string) : undefined;
};

/** The forms of a page with what they hold already. */
export function formsOf(page: Pick<Page, 'html'>): Form[] {
  return [...page.html.matchAll(/<form\b[^>]*>[\s\S]*?<\/form>/g)].map(([form]) => {
    const fields: Record<string, string> = {};
    for (const [input] of form.matchAll(/<input\b[^>]*>/g)) {
      const name = attribute(input, 'name');
      // A box that nobody ticked is not sent.
      const unticked = attribute(input, 'type') === 'checkbox' && !/\schecked\b/.test(input);
      if (name && !unticked) fields[name] = attribute(input, 'value') ?? '';
    }
    return { action: attribute(form.slice(0, form.indexOf('>') + 1), 'action') ?? '', fields };
  });
}

export function createVisitor(origin: string, headers: Record<string, string> = {}) {
  const cookies = new Map<string, { value: string; path: string }>();

  function keep(response: Response): void {
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...rest] = line.split('; ');
      const name = pair.slice(0, pair.indexOf('='));
      const path = rest.find((part) => /^path=/i.test(part))?.slice(5) ?? '/';
      const gone = rest.some((part) => /^expires=Thu, 01 Jan 1970/i.test(part));
      if (gone) cookies.delete(`${name} ${path}`);
      else cookies.set(`${name} ${path}`, { value: pair.slice(name.length + 1), path });
    }
  }

  function cookieHeader(url: URL): string {
    return [...cookies]
      .filter(
        ([, { path }]) => url.pathname === path || url.pathname.startsWith(path.endsWith('/') ? path : `${path}/`),
      )
      .map(([key, { value }]) => `${key.split(' ')[0]}=${value}`)
      .join('; ');
  }

  /** One request, no redirect followed. */
  async function request(target: string, init: RequestInit = {}): Promise<Response> {
    const url = new URL(target, origin);
    const own: Record<string, string> = url.origin === origin ? { cookie: cookieHeader(url) } : {};
    const response = await fetch(url, {
      ...init,
      redirect: 'manual',
      headers: { ...headers, ...own, ...(init.headers as object) },
    });
    if (url.origin === origin) keep(response);
    return response;
  }

  /** Follows redirects as long as they stay with the issuer. The page's url is the last address, ours or not. */
  async function open(target: string, init: RequestInit = {}): Promise<Page> {
    let url = new URL(target, origin).href;
    let response = await request(url, init);
    for (let hops = 0; hops < 15; hops += 1) {
      const location = response.headers.get('location');
      if (!location) break;
      await response.body?.cancel();
      url = new URL(location, url).href;
      if (new URL(url).origin !== origin) return { url, status: response.status, html: '', headers: response.headers };
      response = await request(url, { headers: init.headers ?? {} });
    }
    return { url, status: response.status, html: await response.text(), headers: response.headers };
  }

  /** The page's form whose action fits, with these values, as it would be sent. */
  function fill(page: Page, values: Record<string, string>, which: RegExp | string): { action: string; body: string } {
    const form = formsOf(page).find(({ action }) => new RegExp(which).test(action));
    if (!form) throw new Error(`no form for ${which} on ${page.url}: ${page.html.slice(0, 2000)}`);
    const body = new URLSearchParams({ ...form.fields, ...values }).toString();
    return { action: new URL(form.action, page.url).href, body };
  }

  /** Sends it and follows. */
  async function submit(page: Page, values: Record<string, string>, which: RegExp | string = /./): Promise<Page> {
    const { action, body } = fill(page, values, which);
    return open(action, {
      method: 'POST',
      headers: { 'content-type': 'application/x-www-form-urlencoded' },
      body,
    });
  }

  return { cookies, cookieFor: (url: string) => cookieHeader(new URL(url)), request, open, fill, submit };
}

export type Visitor = ReturnType<typeof createVisitor>;
