/** In which format a failure outside of the protocol and the API is told: a page for people, problem+json for programs. */
import type { Middleware } from 'koa';

export interface FailureOptions {
  pages: Middleware;
  problems: Middleware;
  /** Paths that only programs ask for. */
  machinePaths: readonly string[];
}

export function failures({ pages, problems, machinePaths }: FailureOptions): Middleware {
  return (ctx, next) => {
    const program =
      machinePaths.includes(ctx.path) || ctx.path.startsWith('/.well-known/') || ctx.accepts('html', 'json') === 'json';
    return (program ? problems : pages)(ctx, next);
  };
}
