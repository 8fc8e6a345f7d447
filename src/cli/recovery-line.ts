import { recoveriesOf } from "../server/datastore/set-aside.ts";

/** The line of `skiff status` on the newest recovery of the database, as long as the damaged files are there; undefined when there are none, or it may not look. */
export function recoveryLine(databaseFile: string): string | undefined {
  try {
    const [newest] = recoveriesOf(databaseFile);
    if (!newest) return undefined;
    const { directory, note: { recovered, snapshot: { at, revision } } } = newest;
    return `Recovery     the database was damaged, and has been replaced at ${time(recovered)} by its state of ${time(at)} (resourceVersion ${revision}); this is told until ${directory} is deleted`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EACCES") return undefined;
    throw error;
  }
}

const time = (at: number): string => new Date(at).toISOString().replace(/\.\d+/, "");
