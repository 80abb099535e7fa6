#!/usr/bin/env node
/** The command `latchkey`, on Node 24. Works through a link and from any folder. */
import { join } from 'node:path';
import { launch, root } from './launcher.js';

launch([join(root, 'src', 'main.ts'), ...process.argv.slice(2)]);
