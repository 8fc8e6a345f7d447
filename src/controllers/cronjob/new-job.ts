import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { cronjobs } from "../../apis/builtins.ts";
import type { CronJob, Job, JobTemplateSpec } from "../../apis/generated/batch/v1.ts";
import { newControllerRef } from "../controller-ref.ts";
import { jobName, scheduledTimestamp } from "../scheduled-job.ts";
import { formatInZone, zoneOf } from "./zone.ts";

export function newJob(cronjob: Frozen<CronJob>, scheduled: number): Job {
  const { metadata: { labels = {}, annotations = {} } = {}, spec } = thaw<JobTemplateSpec>(cronjob.spec.jobTemplate);
  return {
    apiVersion: "batch/v1", kind: "Job",
    metadata: {
      name: jobName(cronjob, scheduled), namespace: cronjob.metadata.namespace, labels,
      annotations: { ...annotations, [scheduledTimestamp]: formatInZone(scheduled, zoneOf(cronjob.spec.timeZone ?? "UTC")) },
      ownerReferences: [newControllerRef(cronjobs, cronjob)],
    },
    spec: spec!,
  };
}
