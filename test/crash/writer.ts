import type { Random } from "../support/fuse/random.ts";
import type { CrashClient } from "./crash-client.ts";
import { leases, type TestedKind } from "./kinds.ts";
import type { Key, Seen } from "./ledger.ts";

const shares = { get: 0.1, delete: 0.12, renew: 0.6 } as const;

/** Changes its keys one after another, at random, until the connection breaks. `states` is what it knows of them; others may write them too. */
export async function keepWriting({ client, kind, keys, states, random, signal }: {
  client: CrashClient;
  kind: TestedKind;
  keys: readonly Key[];
  states: Map<Key, Seen>;
  random: Random;
  signal: AbortSignal;
}): Promise<void> {
  while (!signal.aborted) {
    const key = random.pick(keys);
    try {
      const state = await write(key, states.get(key));
      // Refused: somebody else was there first.
      const now = state === "refused" ? await client.get(kind, key) : state;
      if (now) states.set(key, now);
      else states.delete(key);
    } catch {
      // No answer: nobody knows what is there, and most likely the server is gone.
      return;
    }
  }

  async function write(key: Key, before: Seen | undefined): Promise<Seen | undefined | "refused"> {
    if (!before) return await client.create(kind, key) ?? "refused";
    if (random.chance(shares.get)) return client.get(kind, key);
    if (random.chance(shares.delete)) return await client.delete(kind, key, before) ? undefined : "refused";
    return await client.update(kind, key, before, { volatile: kind === leases && random.chance(shares.renew) }) ?? "refused";
  }
}
