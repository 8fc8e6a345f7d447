import { describe, expect, test } from "bun:test";
import type { CronJob, CronJobSpec, CronJobStatus, Job } from "../../apis/generated/batch/v1.ts";
import { parseSchedule } from "../../apis/batch/cron-schedule.ts";
import { missedStarts } from "./missed.ts";
import { newJob } from "./new-job.ts";
import { planBookkeeping, planStart } from "./plan.ts";
import { utc } from "./zone.ts";

const cronjob = (spec: Partial<CronJobSpec> = {}, status: CronJobStatus = {}, metadata: CronJob["metadata"] = {}): CronJob => ({
  metadata: { name: "report", namespace: "ns", uid: "c-1", creationTimestamp: "2026-01-01T10:00:30Z", ...metadata },
  spec: { schedule: "0 * * * *", timeZone: "Etc/UTC", concurrencyPolicy: "Allow", successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1, jobTemplate: { metadata: { labels: { app: "report" } }, spec: { template: {} } }, ...spec },
  status,
});
const at = (text: string): number => Date.parse(`2026-01-01T${text}Z`);
const reference = (name: string): { kind: string; namespace: string; name: string; uid: string } => ({ kind: "Job", namespace: "ns", name, uid: `u-${name}` });
const clock = (time: number | undefined): string | undefined => time === undefined ? undefined : new Date(time).toISOString().slice(11, 19);

describe("a start", () => {
  const last = { lastScheduleTime: "2026-01-01T11:00:00Z" };
  test.each<[string, CronJob, string, { start?: string; requeueAt?: string; replace?: string[]; events?: string[] }]>([
    ["is waited for", cronjob(), "10:30:00", { requeueAt: "11:00:00" }],
    ["is due", cronjob(), "11:00:00", { start: "11:00:00", requeueAt: "12:00:00" }],
    ["was made already", cronjob({}, last), "11:00:05", { requeueAt: "12:00:00" }],
    ["was made already, and the clock set back since", cronjob({}, last), "10:00:00", { requeueAt: "12:00:00" }],
    ["that was missed is made up for once, with the last time", cronjob({}, last), "15:20:00", { start: "15:00:00", requeueAt: "16:00:00" }],
    ["that was missed too long ago is let go", cronjob({ schedule: "0 11 * * *", startingDeadlineSeconds: 10 }, { lastScheduleTime: "2025-12-31T11:00:00Z" }), "11:00:11", { requeueAt: "11:00:00" }],
    ["within its deadline is made", cronjob({ startingDeadlineSeconds: 600 }, last), "12:05:00", { start: "12:00:00", requeueAt: "13:00:00" }],
    ["of many missed is told of", cronjob({ schedule: "* * * * *" }, last), "13:00:10", { start: "13:00:00", requeueAt: "13:01:00", events: ["Warning TooManyMissedTimes: too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew"] }],
    ["waits while suspended", cronjob({ suspend: true }), "11:00:00", {}],
    ["does not come while it is deleted", cronjob({}, {}, { deletionTimestamp: "2026-01-01T10:59:00Z" }), "11:00:00", {}],
    ["is not made beside another", cronjob({ concurrencyPolicy: "Forbid" }, { ...last, active: [reference("report-1")] }), "12:00:00", { requeueAt: "13:00:00", events: ["Normal JobAlreadyActive: Not starting job because prior execution is running and concurrency policy is Forbid"] }],
    ["replaces others", cronjob({ concurrencyPolicy: "Replace" }, { ...last, active: [reference("report-1")] }), "12:00:00", { start: "12:00:00", requeueAt: "13:00:00", replace: ["report-1"] }],
    ["beside others", cronjob({}, { ...last, active: [reference("report-1")] }), "12:00:00", { start: "12:00:00", requeueAt: "13:00:00" }],
    ["that never comes", cronjob({ schedule: "59 23 31 2 *" }), "12:00:00", { events: ["Warning InvalidSchedule: invalid schedule: 59 23 31 2 * : time difference between two schedules is less than 1 second"] }],
    ["at no known time", cronjob({ schedule: "every day" }), "12:00:00", { events: ["Warning UnparseableSchedule: unparseable schedule: \"every day\" : expected exactly 5 fields, found 2: [every day]"] }],
    ["in no known zone", cronjob({ timeZone: "Nowhere/Land" }), "12:00:00", { events: ["Warning UnknownTimeZone: invalid timeZone: \"Nowhere/Land\": unknown time zone Nowhere/Land"] }],
    ["in another zone", cronjob({ schedule: "0 9 * * *", timeZone: "Asia/Kolkata" }), "12:00:00", { requeueAt: "03:30:00" }],
  ])("%s", (_, object, now, expected) => {
    const plan = planStart(object, at(now));
    const found = { start: clock(plan.start), requeueAt: clock(plan.requeueAt), replace: plan.replace.map(({ name }) => name), events: plan.events.map(({ type, reason, message }) => `${type} ${reason}: ${message}`) };
    expect(found).toEqual({ replace: [], events: [], ...expected } as never);
  });

  test("that is late by its deadline is not made", () => {
    const plan = planStart(cronjob({ startingDeadlineSeconds: 60 }, last), at("12:01:00") + 500);
    expect({ start: plan.start, requeueAt: clock(plan.requeueAt) }).toEqual({ start: undefined, requeueAt: "13:00:00" });
  });

  test("of a schedule that has just changed is its next one", () => {
    expect(planStart(cronjob({}, last), at("12:30:00"), at("13:00:00"))).toMatchObject({ requeueAt: at("13:00:00") });
    expect(planStart(cronjob({}, last), at("13:00:00"), at("13:00:00"))).toMatchObject({ start: at("13:00:00") });
  });
});

test("missed starts are found without going through them", () => {
  const from = Date.parse("1996-01-01T00:00:00Z"), now = at("12:00:30");
  expect(missedStarts(parseSchedule("* * * * *"), from, now, utc)).toEqual({ since: from, latest: at("12:00:00"), count: "many" });
  expect(missedStarts(parseSchedule("@every 7s"), from, now, utc).latest).toBe(from + Math.floor((now - from) / 7000) * 7000);
});

describe("the jobs of a cron job", () => {
  const owned = (scheduled: string, change: Partial<NonNullable<Job["status"]>> = {}): Job => {
    const job = newJob(cronjob(), at(scheduled));
    return { ...job, metadata: { ...job.metadata, uid: `u-${job.metadata.name}` }, status: change };
  };
  const ended = (type: string, time: string): Partial<NonNullable<Job["status"]>> => ({ startTime: `2026-01-01T${time}Z`, conditions: [{ type, status: "True" }], ...(type === "Complete" ? { completionTime: `2026-01-01T${time}Z` } : {}) });
  const nowhere = (): boolean => false;
  const told = (events: readonly { reason: string; message: string }[]): string[] => events.map(({ reason, message }) => `${reason}: ${message}`);

  test("are named by their time, and say it", () => {
    const { metadata } = newJob(cronjob({ timeZone: "Europe/Berlin" }), at("11:00:00"));
    expect(metadata).toMatchObject({ name: `report-${at("11:00:00") / 60_000}`, labels: { app: "report" }, annotations: { "batch.kubernetes.io/cronjob-scheduled-timestamp": "2026-01-01T12:00:00+01:00" }, ownerReferences: [{ kind: "CronJob", uid: "c-1", controller: true }] });
  });

  test("leave the active ones when they end", () => {
    const [running, done] = [owned("11:00:00"), owned("10:00:00", ended("Complete", "10:05:00"))];
    const status = { active: [reference(done.metadata.name!), reference(running.metadata.name!)], lastScheduleTime: "2026-01-01T11:00:00Z" };
    const books = planBookkeeping(cronjob({}, status), [running, done], nowhere);
    expect(books.status).toEqual({ active: [reference(running.metadata.name!)], lastScheduleTime: "2026-01-01T11:00:00Z", lastSuccessfulTime: "2026-01-01T10:05:00Z" });
    expect(told(books.events)).toEqual([`SawCompletedJob: Saw completed job: ${done.metadata.name}, condition: Complete`]);
  });

  test("that went missing, or that another made", () => {
    const manual: Job = { metadata: { name: "manual", namespace: "ns", uid: "m" }, spec: { template: {} }, status: {} };
    const books = planBookkeeping(cronjob({}, { active: [reference("gone"), reference("taken")] }), [manual], ({ name }) => name === "taken");
    expect(books.status).toEqual({ active: [reference("taken")] });
    expect(told(books.events)).toEqual(["MissingJob: Active job went missing: gone", "UnexpectedJob: Saw a job that the controller did not create or forgot: manual"]);
  });

  test("whose start was not written down are taken for started", () => {
    const [running, done] = [owned("12:00:00"), owned("11:00:00", ended("Failed", "11:01:00"))];
    const books = planBookkeeping(cronjob({ failedJobsHistoryLimit: 0 }, { lastScheduleTime: "2026-01-01T10:00:00Z" }), [running, done], nowhere);
    expect(books.status).toMatchObject({ active: [{ name: running.metadata.name }], lastScheduleTime: "2026-01-01T12:00:00Z" });
    expect({ remove: books.remove, events: books.events }).toEqual({ remove: [done], events: [] });
    expect(planStart(cronjob({}, books.status), at("12:10:00")).start).toBeUndefined();
  });

  test("are kept up to the limits, the last to start", () => {
    const jobs = ["08", "09", "10", "11"].flatMap((hour) => [owned(`${hour}:00:00`, ended("Complete", `${hour}:01:00`)), owned(`${hour}:30:00`, ended("Failed", `${hour}:31:00`))]);
    const { remove } = planBookkeeping(cronjob({ successfulJobsHistoryLimit: 2 }), jobs.toReversed(), nowhere);
    expect(remove.map(({ status }) => status!.startTime!.slice(11, 16))).toEqual(["08:01", "09:01", "08:31", "09:31", "10:31"]);
  });
});
