/** An answer that the browser saves as a text file. */
import type { Context } from 'koa';

export function textFile(ctx: Context, name: string, lines: string[]): void {
  ctx.set('Cache-Control', 'no-store');
  ctx.type = 'text/plain; charset=utf-8';
  ctx.attachment(name);
  ctx.body = `${lines.join('\n')}\n`;
}
