#!/usr/bin/env node
/** Node 24 for scripts of this project: `node bin/node.js [FLAGS] SCRIPT [ARGUMENTS]`. */
import { launch } from './launcher.js';

launch(process.argv.slice(2));
