import { splitKey } from "../../apimachinery/meta.ts";
import { jobs } from "../../apis/builtins.ts";
import type { Job } from "../../apis/generated/batch/v1.ts";
import { defineController } from "../../client/controller.ts";
import { expiryOf } from "./plan.ts";

/** Deletes jobs some time after they have finished, where they say so. Source: kubernetes pkg/controller/ttlafterfinished. */
export const ttlAfterFinished = defineController<Job>({
  name: "ttl-after-finished-controller", for: jobs, writes: [jobs], workers: 5,
  async reconcile(key, { client, lister, now }) {
    const job = lister(jobs).get(key), at = job && expiryOf(job);
    if (at === undefined) return;
    if (at > now()) return { requeueAt: at };
    const { uid, resourceVersion } = job!.metadata;
    // As it is now: where the TTL has just changed this is a conflict, and the job is looked at again.
    await client.delete(jobs, splitKey(key), { propagationPolicy: "Foreground", preconditions: { uid, resourceVersion } });
  },
});
