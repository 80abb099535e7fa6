/**
 * The protocol core that answers now. Its keys can't be changed, so other keys mean another core, built from the same
 * parts; what began on the old one (a request, an interaction) goes on, because all of it is in the stores.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Middleware } from 'koa';
import type Provider from 'oidc-provider';
import type { JWK } from 'oidc-provider';
import { createDocuments } from './documents.ts';
import type { KeySet, Keys } from './keys.ts';

export interface IssuingOptions {
  keys: Keys;
  /** A core that signs with these keys; `outermost` goes around all its layers. */
  build(jwks: { keys: JWK[] }, outermost: Middleware): Provider;
  /** Of the documents that are answered in front of the core. */
  headers: Readonly<Record<string, string>>;
}

export async function createIssuing({ keys, build, headers }: IssuingOptions) {
  let current = create(
    await keys.follow((set) => {
      current = create(set);
    }),
  );

  function create({ signing, published }: KeySet) {
    const documents = createDocuments({ published, headers });
    const provider = build(signing, documents.middleware);
    return { documents, provider, handle: provider.callback() };
  }

  return {
    /** To be asked for each use: it is another one after a rotation. */
    provider: (): Provider => current.provider,

    /** What is ready as bytes, answered in front of everything. @returns whether it was. */
    ready: (req: IncomingMessage, res: ServerResponse): boolean => current.documents.answer(req, res),

    listener(req: IncomingMessage, res: ServerResponse): void {
      const { documents, handle } = current;
      if (!documents.answer(req, res)) void handle(req, res);
    },
  };
}

export type Issuing = Awaited<ReturnType<typeof createIssuing>>;
