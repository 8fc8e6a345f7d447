/**
 * Calls `work` `count` times in batches of 1, 2, 4…, and starts no further batch after one that had a failure: where every call fails
 * alike (a quota, an admission plugin), only few are tried. Returns the first error. Source: slowStartBatch of the ReplicaSet controller.
 */
export async function slowStart(count: number, work: () => Promise<void>): Promise<{ succeeded: number; error?: unknown }> {
  let succeeded = 0;
  for (let batch = 1; succeeded < count; batch *= 2) {
    const results = await Promise.allSettled(Array.from({ length: Math.min(batch, count - succeeded) }, work));
    const failed = results.find((result) => result.status === "rejected");
    succeeded += results.filter((result) => result.status === "fulfilled").length;
    if (failed) return { succeeded, error: failed.reason };
  }
  return { succeeded };
}
