/**
 * Calls `work` with 0…`count`-1 in batches of 1, 2, 4… up to `largest`, and starts no further batch after one that had a failure: where every
 * call fails alike (a quota, an admission plugin), only few are tried. Returns the first error. Source: slowStartBatch of the ReplicaSet controller.
 */
export async function slowStart(count: number, work: (index: number) => Promise<void>, largest = Infinity): Promise<{ succeeded: number; error?: unknown }> {
  let begun = 0, succeeded = 0;
  for (let batch = 1; begun < count; batch = Math.min(batch * 2, largest)) {
    const size = Math.min(batch, count - begun), first = begun;
    begun += size;
    const results = await Promise.allSettled(Array.from({ length: size }, (_, i) => work(first + i)));
    const failed = results.find((result) => result.status === "rejected");
    succeeded += results.filter((result) => result.status === "fulfilled").length;
    if (failed) return { succeeded, error: failed.reason };
  }
  return { succeeded };
}
