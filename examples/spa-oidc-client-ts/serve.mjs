/** Bundles main.ts and serves this folder on http://localhost:3001. */
import { context } from 'esbuild';

const { LATCHKEY_ISSUER = 'http://localhost:3000', LATCHKEY_CLIENT_ID = '' } = process.env;
const bundle = await context({
  entryPoints: ['main.ts'],
  outfile: 'main.js',
  bundle: true,
  format: 'esm',
  define: {
    LATCHKEY_ISSUER: JSON.stringify(LATCHKEY_ISSUER),
    LATCHKEY_CLIENT_ID: JSON.stringify(LATCHKEY_CLIENT_ID),
  },
});
await bundle.serve({ servedir: '.', host: 'localhost', port: 3001 });
console.log('http://localhost:3001');
