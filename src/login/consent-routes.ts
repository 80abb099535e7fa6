/** Asks whether an application may have what it asks for, and who continues to a native application. */
import type Router from '@koa/router';
import type { Consents } from '../oidc/consents.ts';
import type { Resources } from '../oidc/resources.ts';
import { redirectTarget } from './client-view.ts';
import { DecisionForm } from './forms.ts';
import type { FlowPage } from './pages.ts';
import { seeOther } from './register-routes.ts';
import type { LoginDeps } from './routes.ts';

interface PromptDetails {
  missingOIDCScope?: string[];
  missingOIDCClaims?: string[];
  missingResourceScopes?: Record<string, string[]>;
}

export interface ConsentDeps extends LoginDeps {
  resources: Resources;
  consents: Pick<Consents, 'refused'>;
  /** Title and description of a scope in the person's language. */
  scopeWords(locale: string, scope: string): { title: string; description: string };
  claimWords(locale: string, claims: string[]): { title: string; description: string };
}

export function mountConsent(router: Router, deps: ConsentDeps): void {
  const { pages, flows, login, accounts, resources, scopeWords, claimWords } = deps;

  /** Asked again by the application: everything it wants; else only what is new. */
  function wanted({ flow }: FlowPage): Required<PromptDetails> {
    const { details, reasons } = flow.interaction.prompt as { details: PromptDetails; reasons: string[] };
    const again = reasons.includes('consent_prompt');
    const scope = String(flow.interaction.params['scope'] ?? '').split(' ');
    const known = scope.filter((each) => each !== '' && scopeIsOurs(each));
    return {
      missingOIDCScope: details.missingOIDCScope ?? (again ? known : []),
      missingOIDCClaims: details.missingOIDCClaims ?? [],
      missingResourceScopes: details.missingResourceScopes ?? {},
    };
  }

  function scopeIsOurs(scope: string): boolean {
    return !resources.scopes.includes(scope);
  }

  function resourceItems(asked: Record<string, string[]>, locale: string) {
    return Object.entries(asked).map(([identifier, scopes]) => {
      const resource = resources.find(identifier);
      const items = scopes.map((name) => {
        const declared = resource?.scopes.find((scope) => scope.name === name);
        const words = scopeWords(locale, name);
        return { title: declared?.title ?? words.title, description: declared?.description ?? words.description };
      });
      return { name: resource?.name ?? identifier, items };
    });
  }

  router.get('/consent/:uid', async (ctx) => {
    const page = await pages.open(ctx);
    const { flow, locale, show } = page;
    const account = await accounts.living(flow.interaction.session?.accountId ?? '');
    if (flow.interaction.prompt.name !== 'consent' || !account) return seeOther(ctx, `/login/${flow.uid}`);
    const asked = wanted(page);
    const data = {
      action: `/consent/${flow.uid}`,
      account: { email: account.email, name: account.profile.name },
      redirectTo: redirectTarget(flow.interaction.params['redirect_uri']),
    };
    const items = asked.missingOIDCScope
      .filter((scope) => scope !== 'offline_access')
      .map((scope) => scopeWords(locale, scope));
    if (asked.missingOIDCClaims.length > 0) items.push(claimWords(locale, asked.missingOIDCClaims));
    const askedResources = resourceItems(asked.missingResourceScopes, locale);
    if (items.length === 0 && askedResources.length === 0) return show('login/continue', data);
    show('login/consent', {
      ...data,
      items,
      resources: askedResources,
      offline: flow.client?.grantTypeAllowed('refresh_token') ?? false,
      untrusted: flow.client?.applicationType === 'native',
    });
  });

  router.post('/consent/:uid', (ctx) =>
    pages.submit(
      ctx,
      DecisionForm,
      async ({ flow }, { decision }) => {
        if (decision === 'switch') return seeOther(ctx, `/login/${flow.uid}`);
        if (decision === 'deny') {
          const who = flow.interaction.session?.accountId;
          await deps.consents.refused(who, flow.client?.clientId, deps.originOf(ctx));
          return login.refused(ctx, flow, 'the person refused');
        }
        if (flow.interaction.prompt.name !== 'consent') return seeOther(ctx, `/login/${flow.uid}`);
        await flows.finish(ctx, flow, { consent: { allowed: true } as never });
      },
      ({ flow }) => seeOther(ctx, `/consent/${flow.uid}`),
    ),
  );
}
