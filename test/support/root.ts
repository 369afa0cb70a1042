import { createRequire } from 'node:module';
import { dirname } from 'node:path';

/** The project's folder, wherever the code that asks was compiled to. */
export const ROOT: string = dirname(createRequire(import.meta.url).resolve('lanpost/package.json'));
