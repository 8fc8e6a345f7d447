import type { Frozen } from "../../apimachinery/meta.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { parseSchedule, type Schedule } from "../../apis/batch/cron-schedule.ts";
import type { CronJob, CronJobStatus, Job } from "../../apis/generated/batch/v1.ts";
import type { ObjectReference } from "../../apis/generated/core/v1.ts";
import { referenceTo, type EventType } from "../../client/recorder.ts";
import { finishedCondition, isJobFinished } from "../job-status.ts";
import { jobName, scheduledTimeOf } from "../scheduled-job.ts";
import { missedStarts } from "./missed.ts";
import { nextTime } from "./next-time.ts";
import { zoneOf, type Zone } from "./zone.ts";

export interface PlannedEvent {
  type: EventType;
  reason: string;
  message: string;
}

/** What is known of the jobs that were started. */
export interface Bookkeeping {
  status: CronJobStatus;
  /** Finished ones beyond the history limits, the oldest first. */
  remove: Frozen<Job>[];
  events: PlannedEvent[];
}

/** What to do about the schedule. */
export interface StartPlan {
  /** The scheduled time of a job to start now. */
  start?: number;
  /** Jobs that it replaces. */
  replace: Frozen<ObjectReference>[];
  events: PlannedEvent[];
  /** The next start. */
  requeueAt?: number;
}

/** Takes the jobs of a cron job into its status. `exists` says of a job that it doesn't control whether it is there. Source: syncCronJob. */
export function planBookkeeping(cronjob: Frozen<CronJob>, jobs: readonly Frozen<Job>[], exists: (reference: Frozen<ObjectReference>) => boolean): Bookkeeping {
  const remove = [...beyond(cronjob.spec.successfulJobsHistoryLimit, jobs, "Complete"), ...beyond(cronjob.spec.failedJobsHistoryLimit, jobs, "Failed")];
  const removed = new Set(remove.map(({ metadata }) => metadata.uid)), owned = new Map(jobs.map((job) => [job.metadata.uid, job]));
  const events: PlannedEvent[] = [], active: ObjectReference[] = [];
  const { active: before = [], ...status } = cronjob.status ?? {};
  for (const reference of before) {
    const job = owned.get(reference.uid);
    if (job && isJobFinished(job)) {
      if (!removed.has(reference.uid)) events.push({ type: "Normal", reason: "SawCompletedJob", message: `Saw completed job: ${job.metadata.name}, condition: ${finishedCondition(job)!.type}` });
    } else if (job || exists(reference)) active.push({ ...reference });
    else events.push({ type: "Normal", reason: "MissingJob", message: `Active job went missing: ${reference.name}` });
  }
  for (const job of jobs) {
    if (isJobFinished(job) || before.some(({ uid }) => uid === job.metadata.uid)) continue;
    if (startedFor(cronjob, job)) active.push(referenceTo(job));
    else events.push({ type: "Warning", reason: "UnexpectedJob", message: `Saw a job that the controller did not create or forgot: ${job.metadata.name}` });
  }
  const lastScheduleTime = latest([status.lastScheduleTime, ...jobs.map((job) => startedFor(cronjob, job))]);
  const lastSuccessfulTime = latest([status.lastSuccessfulTime, ...jobs.filter((job) => finishedCondition(job)?.type === "Complete").map((job) => job.status?.completionTime)]);
  return {
    status: { ...(active.length > 0 ? { active } : {}), ...(lastScheduleTime ? { lastScheduleTime } : {}), ...(lastSuccessfulTime ? { lastSuccessfulTime } : {}) },
    remove, events,
  };
}

/** When the cron job started this job, as its status says unless the process ended between the two writes. */
function startedFor(cronjob: Frozen<CronJob>, job: Frozen<Job>): string | undefined {
  const time = scheduledTimeOf(cronjob, job);
  return time === undefined ? undefined : formatTime(time);
}

function latest(times: readonly (string | null | undefined)[]): string | undefined {
  return times.filter((time) => typeof time === "string").toSorted((a, b) => Date.parse(b) - Date.parse(a))[0];
}

function beyond(limit: number | undefined, jobs: readonly Frozen<Job>[], type: string): Frozen<Job>[] {
  if (limit === undefined) return [];
  const finished = jobs.filter((job) => finishedCondition(job)?.type === type).toSorted(byStart);
  return finished.slice(0, Math.max(0, finished.length - limit));
}

/** Those that never started come last. */
function byStart(a: Frozen<Job>, b: Frozen<Job>): number {
  const start = ({ status }: Frozen<Job>): number => (status?.startTime ? Date.parse(status.startTime) : Infinity);
  const [first, second] = [start(a), start(b)];
  return first === second ? (a.metadata.name! < b.metadata.name! ? -1 : 1) : first < second ? -1 : 1;
}

/** Decides from a status that is up to date. `notBefore` is when a schedule that has just changed starts jobs first. */
export function planStart(cronjob: Frozen<CronJob>, now: number, notBefore = 0): StartPlan {
  const events: PlannedEvent[] = [], nothing = { replace: [], events };
  const warn = (reason: string, message: string): void => void events.push({ type: "Warning", reason, message });
  const { metadata, spec, status } = cronjob;
  if (metadata.deletionTimestamp || spec.suspend) return nothing;
  const reading = readSchedule(cronjob);
  if ("error" in reading) {
    warn(reading.reason, reading.error);
    return nothing;
  }
  const { schedule, zone } = reading;
  if (spec.schedule.includes("TZ")) warn("UnsupportedSchedule", `CRON_TZ or TZ used in schedule ${JSON.stringify(spec.schedule)} is not officially supported, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details`);
  if (now < notBefore) return { ...nothing, requeueAt: notBefore };
  const deadline = spec.startingDeadlineSeconds === undefined ? undefined : spec.startingDeadlineSeconds * 1000;
  const { latest: due, count, invalid } = missedStarts(schedule, Math.max(sinceOf(cronjob), deadline === undefined ? 0 : now - deadline), now, zone);
  if (invalid) {
    warn("InvalidSchedule", `invalid schedule: ${spec.schedule} : time difference between two schedules is less than 1 second`);
    return nothing;
  }
  const wait = { ...nothing, requeueAt: nextStart(cronjob, schedule, zone, now) };
  if (due === undefined) return wait;
  if (count === "many") warn("TooManyMissedTimes", "too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew");
  if (deadline !== undefined && due + deadline < now) {
    warn("MissSchedule", `Missed scheduled time to start a job: ${rfc1123(due)}`);
    return wait;
  }
  const active = status?.active ?? [];
  if (active.some(({ name }) => name === jobName(cronjob, due)) || (status?.lastScheduleTime && Date.parse(status.lastScheduleTime) === due)) return wait;
  if (spec.concurrencyPolicy === "Forbid" && active.length > 0) {
    events.push({ type: "Normal", reason: "JobAlreadyActive", message: "Not starting job because prior execution is running and concurrency policy is Forbid" });
    return wait;
  }
  return { ...wait, start: due, replace: spec.concurrencyPolicy === "Replace" ? [...active] : [] };
}

/** From when on starts are due. */
const sinceOf = ({ metadata, status }: Frozen<CronJob>): number => Date.parse(status?.lastScheduleTime ?? metadata.creationTimestamp!);

/** The start to wait for, in milliseconds since the epoch. Source: nextScheduleTimeDuration. */
export function nextStart(cronjob: Frozen<CronJob>, schedule: Schedule, zone: Zone, now: number): number | undefined {
  const { since, latest: last, count, invalid } = missedStarts(schedule, sinceOf(cronjob), now, zone);
  return nextTime(schedule, invalid ? now : last ?? (count === "none" ? since : now), zone);
}

type Reading = { schedule: Schedule; zone: Zone } | { reason: string; error: string };

/** A schedule without a time zone is read in this machine's. */
export function readSchedule({ spec }: Frozen<CronJob>): Reading {
  let zone: Zone;
  try {
    zone = zoneOf(spec.timeZone ?? "Local");
  } catch {
    return { reason: "UnknownTimeZone", error: `invalid timeZone: ${JSON.stringify(spec.timeZone)}: unknown time zone ${spec.timeZone}` };
  }
  try {
    const schedule = parseSchedule(spec.schedule);
    return { schedule, zone: schedule.zone === undefined ? zone : zoneOf(schedule.zone) };
  } catch (error) {
    return { reason: "UnparseableSchedule", error: `unparseable schedule: ${JSON.stringify(spec.schedule)} : ${(error as Error).message}` };
  }
}

/** `Mon, 02 Jan 2006 15:04:05 +0000`. */
const rfc1123 = (time: number): string => new Date(time).toUTCString().replace("GMT", "+0000");
