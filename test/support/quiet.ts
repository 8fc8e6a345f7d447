import type { Cacher } from "../../src/storage/cacher/cacher.ts";
import { StorageError } from "../../src/storage/storage.ts";

const key = "/registry/core/marks/quiet";

/**
 * Resolves once nothing has been written for some milliseconds, and nothing is `busy` writing. With a fake clock, components that were woken still
 * need real time for what they write: to move the clock on before they are done would have them be late. What they have begun is waited for
 * however slow the disk is: a write of our own is behind it.
 */
export async function quiet({ cacher }: { cacher: Cacher }, busy: () => boolean = () => false): Promise<void> {
  const stop = new AbortController();
  let written = 0;
  const watching = cacher.watch("/registry/", cacher.revision, (events) => void (written += events.filter((event) => event.key !== key).length), stop.signal);
  try {
    for (let before = -1; written !== before || busy();) {
      before = written;
      await Bun.sleep(3);
      await mark(cacher);
      // What they do on hearing of it.
      await Bun.sleep(3);
    }
  } finally {
    stop.abort();
    await watching;
  }
}

async function mark(cacher: Cacher): Promise<void> {
  const object = { metadata: { name: "quiet" } };
  await cacher.create(key, object).catch(async (error: unknown) => {
    if (!(error instanceof StorageError) || error.code !== "exists") throw error;
    await cacher.update(key, cacher.get(key)!.revision, object);
  });
}
