import { splitKey, type Frozen } from "../../apimachinery/meta.ts";
import { cronjobs, jobs } from "../../apis/builtins.ts";
import type { CronJob, Job } from "../../apis/generated/batch/v1.ts";
import { defineController, type Listers } from "../../client/controller.ts";
import { controllerRef } from "../controller-ref.ts";
import { isStartUnknown } from "../scheduled-job.ts";
import { expiryOf } from "./plan.ts";

/** How soon a job is looked at again whose cron job doesn't know it yet. */
const retryAfter = 1000;

/** Deletes jobs some time after they have finished, where they say so. Source: kubernetes pkg/controller/ttlafterfinished. */
export const ttlAfterFinished = defineController<Job>({
  name: "ttl-after-finished-controller", for: jobs, reads: [cronjobs], writes: [jobs], workers: 5,
  async reconcile(key, { client, lister, now }) {
    const job = lister(jobs).get(key), at = job && expiryOf(job);
    if (at === undefined) return;
    if (at > now()) return { requeueAt: at };
    const owner = cronJobOf(job!, lister);
    if (owner && isStartUnknown(owner, job!)) return { requeueAfter: retryAfter };
    const { uid, resourceVersion } = job!.metadata;
    // As it is now: where the TTL has just changed this is a conflict, and the job is looked at again.
    await client.delete(jobs, splitKey(key), { propagationPolicy: "Foreground", preconditions: { uid, resourceVersion } });
  },
});

function cronJobOf(job: Frozen<Job>, lister: Listers): Frozen<CronJob> | undefined {
  const owner = controllerRef(job), cronjob = owner?.kind === "CronJob" ? lister(cronjobs).get(`${job.metadata.namespace}/${owner.name}`) : undefined;
  return cronjob?.metadata.uid === owner?.uid ? cronjob : undefined;
}
