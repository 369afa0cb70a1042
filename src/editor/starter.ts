import { copyFile, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from '../front/system-error.ts';

/** On the first start there is something to look at; a flow file that exists is never touched. */
export async function placeStarter(packageRoot: string, userDir: string): Promise<boolean> {
  try {
    await copyFile(join(packageRoot, 'examples/node-red/starter.json'), join(userDir, 'flows.json'), constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return false;
    throw error;
  }
}
