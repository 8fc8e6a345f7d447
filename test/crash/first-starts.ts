import { TestDisk } from "../support/fuse/disk.ts";
import { randomOf } from "../support/fuse/random.ts";
import { CrashServer } from "./crash-server.ts";

/** A first start is over by then, on a machine that isn't busy. */
const longestStartMs = 2500;
/** A power cut as often as this for each new cluster, at most. */
const mostCuts = 3;

export interface FirstStarts {
  clusters: number;
  powerCuts: number;
  /** Why servers did not start in the end. */
  failures: string[];
}

/** Begins new clusters, each with the power cut amid its first start, perhaps again amid the next, until it is left to start. */
export async function runFirstStarts({ executable, clusters, seed }: { executable: string; clusters: number; seed: number }): Promise<FirstStarts> {
  const random = randomOf(seed), disk = await TestDisk.mount(), result: FirstStarts = { clusters: 0, powerCuts: 0, failures: [] };
  try {
    while (result.clusters < clusters) {
      const server = new CrashServer({ command: [executable], dataDir: `${disk.path}/data-${result.clusters++}` }), cuts: string[] = [];
      try {
        for (let more = 1 + random.below(mostCuts); more > 0; more--) {
          const requests = 1 + random.below(random.pick([100, 500, 3000])), cutSeed = random.chance(0.5) ? random.below(2 ** 31) : undefined;
          cuts.push(`at request ${requests}${cutSeed === undefined ? "" : ` with seed ${cutSeed}`}`);
          const lost = Promise.withResolvers<void>();
          await disk.powerOffAfter(requests, lost.resolve);
          server.spawn();
          await Promise.race([lost.promise, Bun.sleep(longestStartMs)]);
          await disk.powerOff();
          await server.kill();
          await disk.remount({ seed: cutSeed });
          result.powerCuts++;
        }
        await server.start();
      } catch (error) {
        result.failures.push(`cluster ${result.clusters}, after power cuts ${cuts.join(", ")}: ${(error as Error).message}`);
      } finally {
        await server.dispose();
      }
    }
    return result;
  } finally {
    await disk.dispose();
  }
}
