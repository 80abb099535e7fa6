/** Where the project's own files lie, whatever folder the process was started in. */
import { fileURLToPath } from 'node:url';

const place = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));

/** Ends with a slash. */
export const root = place('');
export const migrationsDir = place('migrations');
export const viewsDir = place('views');
export const assetsDir = place('views/assets');
