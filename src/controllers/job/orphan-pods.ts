import { keyOf, type Frozen } from "../../apimachinery/meta.ts";
import { jobs, pods } from "../../apis/builtins.ts";
import type { Job } from "../../apis/generated/batch/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { defineController, watchOf, type Listers } from "../../client/controller.ts";
import { controllerRef } from "../controller-ref.ts";
import { isJobFinished } from "../job-status.ts";
import { isManagedElsewhere } from "./job.ts";
import { isTracked } from "./job-pods.ts";
import { releasePod } from "./release.ts";

/** Frees pods that no job will count any more: their job is gone or has finished, or they have been taken from it. Works on keys of pods. */
export const jobOrphanPods = defineController<Pod>({
  name: "job-orphan-pod", writes: [pods], retry: { baseDelay: 1000, maxDelay: 60_000 },
  watches: [
    watchOf(pods, (pod, _old, { lister }) => (pod && isOrphan(pod, lister) ? [keyOf(pod)] : [])),
    watchOf(jobs, (job, old, { lister }) => (!job || isJobFinished(job) ? lister(pods).controlledBy((job ?? old!).metadata.uid!).filter(isTracked).map(keyOf) : [])),
  ],
  async reconcile(key, { client, lister }) {
    const pod = lister(pods).get(key);
    if (pod && isOrphan(pod, lister)) await releasePod(pod, client);
  },
});

function isOrphan(pod: Frozen<Pod>, lister: Listers): boolean {
  if (!isTracked(pod)) return false;
  const owner = controllerRef(pod);
  if (!owner) return true;
  if (owner.kind !== "Job" || owner.apiVersion !== "batch/v1") return false;
  const job: Frozen<Job> | undefined = lister(jobs).get(`${pod.metadata.namespace}/${owner.name}`);
  return job?.metadata.uid !== owner.uid || (isJobFinished(job) && !isManagedElsewhere(job));
}
