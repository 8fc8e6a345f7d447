import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { cronjobs } from "../../apis/builtins.ts";
import type { CronJob, Job, JobTemplateSpec } from "../../apis/generated/batch/v1.ts";
import { newControllerRef } from "../controller-ref.ts";
import { formatInZone, zoneOf } from "./zone.ts";

const scheduledTimestamp = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/** One scheduled time, one name: whoever starts a job twice is told that it exists. */
export const jobName = ({ metadata }: Frozen<CronJob>, scheduled: number): string => `${metadata.name}-${Math.floor(scheduled / 60_000)}`;

/** The scheduled time of a job that a cron job started, in milliseconds since the epoch. */
export function scheduledTimeOf({ metadata }: Frozen<Job>): number | undefined {
  const time = Date.parse(metadata.annotations?.[scheduledTimestamp] ?? "");
  return Number.isNaN(time) ? undefined : time;
}

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
