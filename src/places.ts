/** Where the project's own files lie, whatever folder the process was started in. */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const place = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** Ends with a slash. */
export const root = place('');
export const migrationsDir = place('migrations');
export const viewsDir = place('views');
export const assetsDir = place('views/assets');

const { resolve } = createRequire(import.meta.url);
/** Files of packages that pages load as they are, by the names under which they are served. */
export const packageAssets: Readonly<Record<string, string>> = {
  'zxcvbn-core.js': resolve('@zxcvbn-ts/core/dist/zxcvbn-ts.js'),
  'zxcvbn-common.js': resolve('@zxcvbn-ts/language-common/dist/zxcvbn-ts.js'),
  'zxcvbn-en.js': resolve('@zxcvbn-ts/language-en/dist/zxcvbn-ts.js'),
  'zxcvbn-fr.js': resolve('@zxcvbn-ts/language-fr/dist/zxcvbn-ts.js'),
  'webauthn.js': join(dirname(resolve('@simplewebauthn/browser')), '../dist/bundle/index.umd.min.js'),
};
