import type { Frozen } from "../apimachinery/meta.ts";
import type { CronJob, Job } from "../apis/generated/batch/v1.ts";

/** On a job that a cron job started: for which time. */
export const scheduledTimestamp = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/** One scheduled time, one name: whoever starts a job twice is told that it exists. */
export const jobName = ({ metadata }: Frozen<CronJob>, scheduled: number): string => `${metadata.name}-${Math.floor(scheduled / 60_000)}`;

/** For which time this cron job started the job, in milliseconds since the epoch; undefined when it didn't. */
export function scheduledTimeOf(cronjob: Frozen<CronJob>, { metadata }: Frozen<Job>): number | undefined {
  const time = Date.parse(metadata.annotations?.[scheduledTimestamp] ?? "");
  return jobName(cronjob, time) === metadata.name ? time : undefined;
}

/**
 * Whether the cron job's status doesn't say yet that this job was started: the process ended between the two writes. If the job went before it
 * does, it would be started once more.
 */
export function isStartUnknown(cronjob: Frozen<CronJob>, job: Frozen<Job>): boolean {
  const scheduled = scheduledTimeOf(cronjob, job);
  return scheduled !== undefined && scheduled > Date.parse(cronjob.status?.lastScheduleTime ?? "1970-01-01T00:00:00Z");
}
