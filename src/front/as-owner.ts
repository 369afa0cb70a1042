import { stat } from 'node:fs/promises';
import process from 'node:process';

/**
 * Does the work as the user that `dir` belongs to when root asks for it: what the box's user puts in the way, as a link
 * to a folder of the system, then opens nothing to him that he could not open by himself. The whole process is that user
 * meanwhile, so only a command that does nothing else may call it.
 */
export async function asOwner<T>(dir: string, work: () => Promise<T>): Promise<T> {
  const { geteuid, getegid, getgroups, seteuid, setegid, setgroups } = process;
  if (!geteuid || !getegid || !getgroups || !seteuid || !setegid || !setgroups || geteuid() !== 0) return work();
  const { uid, gid } = await stat(dir);
  if (uid === 0) return work();
  const before = { gid: getegid(), groups: getgroups() };
  try {
    setgroups([gid]);
    setegid(gid);
    seteuid(uid);
    return await work();
  } finally {
    seteuid(0);
    setegid(before.gid);
    setgroups(before.groups);
  }
}
