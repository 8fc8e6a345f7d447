import { expect, test } from "bun:test";
import { cronjobs, events, jobs } from "../../src/apis/builtins.ts";
import type { CronJob, CronJobSpec, Job } from "../../src/apis/generated/batch/v1.ts";
import type { Event } from "../../src/apis/generated/core/v1.ts";
import { startControllers } from "../../src/client/run-controllers.ts";
import { cronjobController } from "../../src/controllers/cronjob/cronjob.ts";
import { startControlPlane } from "../support/control-plane.ts";
import { FakeClock } from "../support/fake-clock.ts";
import { hollowCluster, type HollowCluster } from "../support/hollow-cluster.ts";
import { mortalClient } from "../support/mortal-client.ts";
import { quiet } from "../support/quiet.ts";

const ns = "default";

const cronjob = (exit: string, spec: Partial<CronJobSpec> = {}): CronJob => ({
  apiVersion: "batch/v1", kind: "CronJob", metadata: { name: "tick", namespace: ns },
  spec: { schedule: "*/10 * * * *", jobTemplate: { spec: { backoffLimit: 0, template: { metadata: { annotations: { "hollow.skiff/exit": exit } }, spec: { restartPolicy: "Never", containers: [{ name: "c", image: "busybox:1.36" }] } } } }, ...spec },
});

interface Cluster extends HollowCluster {
  clock: FakeClock;
  pass(minutes: number): Promise<void>;
  cron(): CronJob;
  /** Scheduled times of the jobs there are. */
  times(): string[];
  /** Scheduled times of all jobs there ever were. */
  started: string[];
  told(): string[];
}

const scheduled = ({ metadata }: Job): string => metadata.annotations!["batch.kubernetes.io/cronjob-scheduled-timestamp"]!.slice(11, 16);

async function startCluster(start = "2026-01-01T00:00:00Z"): Promise<Cluster> {
  const clock = new FakeClock(Date.parse(start));
  const cluster = await hollowCluster({ clock, nodes: 1, select: ({ name }) => !name.startsWith("root-ca") && name !== "resourcequota-controller" });
  const started: string[] = [];
  cluster.informers.informer(jobs).onChange((old, current) => {
    if (!old && current) started.push(scheduled(current as Job));
  });
  return {
    ...cluster, clock, started,
    async pass(minutes) {
      for (let step = 0; step < minutes * 2; step++) {
        await clock.advance(30_000);
        await quiet(cluster);
      }
    },
    cron: () => cluster.list<CronJob>(cronjobs, ns)[0]!,
    times: () => cluster.list<Job>(jobs, ns).map(scheduled).toSorted(),
    told: () => cluster.list<Event>(events, ns).filter(({ involvedObject }) => involvedObject.kind === "CronJob").map(({ reason, message }) => `${reason}: ${message!.replace(/-\d+/, "")}`),
  };
}

const patch = (cluster: Cluster, spec: Partial<CronJobSpec>): Promise<unknown> => cluster.client.patch(cronjobs, { namespace: ns, name: "tick" }, { type: "application/merge-patch+json", body: { spec } });

test("jobs start by the clock, are kept up to the limits, and told of", async () => {
  await using cluster = await startCluster();
  await cluster.client.create(cronjobs, cronjob("0 after 30s", { successfulJobsHistoryLimit: 2 }));
  await cluster.pass(9);
  expect(cluster.started).toEqual([]);
  await cluster.pass(1);
  expect(cluster.cron().status).toMatchObject({ active: [{ kind: "Job", name: `tick-${Date.parse("2026-01-01T00:10:00Z") / 60_000}`, apiVersion: "batch/v1" }], lastScheduleTime: "2026-01-01T00:10:00Z" });
  await cluster.pass(32);
  expect(cluster.started).toEqual(["00:10", "00:20", "00:30", "00:40"]);
  expect(cluster.times()).toEqual(["00:30", "00:40"]);
  const { status } = cluster.cron();
  expect({ active: status!.active, last: status!.lastScheduleTime }).toEqual({ active: undefined, last: "2026-01-01T00:40:00Z" });
  expect(Date.parse(status!.lastSuccessfulTime!) - Date.parse(status!.lastScheduleTime!)).toBeGreaterThanOrEqual(30_000);
  expect([...new Set(cluster.told())].toSorted()).toEqual(["SawCompletedJob: Saw completed job: tick, condition: Complete", "SuccessfulCreate: Created job tick", "SuccessfulDelete: Deleted job tick"]);
}, 180_000);

test.each<[CronJobSpec["concurrencyPolicy"] & string, string[]]>([["Allow", ["00:10", "00:20"]], ["Forbid", ["00:10"]], ["Replace", ["00:20"]]])("%s jobs at once", async (concurrencyPolicy, expected) => {
  await using cluster = await startCluster();
  await cluster.client.create(cronjobs, cronjob("running", { concurrencyPolicy }));
  await cluster.pass(22);
  expect(cluster.times()).toEqual(expected);
  expect(cluster.cron().status?.active).toHaveLength(expected.length);
  expect(cluster.told().includes("JobAlreadyActive: Not starting job because prior execution is running and concurrency policy is Forbid")).toBe(concurrencyPolicy === "Forbid");
}, 180_000);

test("a clock that is set on makes up for one start, one that is set back repeats none", async () => {
  await using cluster = await startCluster();
  await cluster.client.create(cronjobs, cronjob("0", { schedule: "0 * * * *" }));
  await cluster.pass(61);
  expect(cluster.started).toEqual(["01:00"]);
  cluster.clock.jump(-3_600_000);
  await cluster.pass(61);
  expect(cluster.started).toEqual(["01:00"]);
  cluster.clock.jump(3 * 3_600_000);
  await cluster.pass(1);
  expect(cluster.started).toEqual(["01:00", "04:00"]);
  await cluster.pass(60);
  expect(cluster.started).toEqual(["01:00", "04:00", "05:00"]);
}, 180_000);

test("a suspended one starts nothing; a new schedule counts from its next time", async () => {
  await using cluster = await startCluster();
  await cluster.client.create(cronjobs, cronjob("0", { suspend: true }));
  await cluster.pass(15);
  expect(cluster.started).toEqual([]);
  await patch(cluster, { suspend: false, startingDeadlineSeconds: 60 });
  await cluster.pass(1);
  expect(cluster.started).toEqual([]);
  await patch(cluster, { schedule: "5,25 * * * *", startingDeadlineSeconds: null as never });
  await cluster.pass(8);
  expect(cluster.started).toEqual([]);
  await cluster.pass(2);
  expect(cluster.started).toEqual(["00:25"]);
}, 180_000);

test("a job that is deleted is missed in the list of active ones", async () => {
  await using cluster = await startCluster();
  await cluster.client.create(cronjobs, cronjob("running", { concurrencyPolicy: "Forbid" }));
  await cluster.pass(11);
  const [active] = cluster.cron().status!.active!;
  await cluster.client.delete(jobs, { namespace: ns, name: active!.name! }, { propagationPolicy: "Background" });
  await cluster.pass(1);
  expect(cluster.cron().status?.active).toBeUndefined();
  expect(cluster.told()).toContain("MissingJob: Active job went missing: tick");
}, 180_000);

test("a finished job goes with its pods when its time to live is over", async () => {
  await using cluster = await startCluster();
  await cluster.client.create(jobs, { apiVersion: "batch/v1", kind: "Job", metadata: { name: "brief", namespace: ns, annotations: { "batch.kubernetes.io/cronjob-scheduled-timestamp": "" } }, spec: { ...cronjob("0").spec.jobTemplate.spec!, ttlSecondsAfterFinished: 300 } });
  await cluster.pass(4);
  expect(cluster.list<Job>(jobs, ns)[0]!.status?.conditions?.map(({ type }) => type)).toEqual(["SuccessCriteriaMet", "Complete"]);
  await cluster.pass(2);
  expect([cluster.list(jobs, ns), cluster.pods(ns)]).toEqual([[], []]);
}, 180_000);

test("a job whose cron job doesn't know of it yet stays beyond its time to live", async () => {
  const clock = new FakeClock();
  await using plane = await startControlPlane({ clock, select: ({ name }) => name === "ttl-after-finished-controller" });
  const owner = await plane.client.create(cronjobs, cronjob("0"));
  const { name, uid } = owner.metadata, time = "2026-01-01T00:10:00Z", condition = (type: string): object => ({ type, status: "True", lastTransitionTime: time });
  const key = { namespace: ns, name: `${name}-${Date.parse(time) / 60_000}` };
  await plane.client.create(jobs, {
    apiVersion: "batch/v1", kind: "Job",
    metadata: { ...key, annotations: { "batch.kubernetes.io/cronjob-scheduled-timestamp": time }, ownerReferences: [{ apiVersion: "batch/v1", kind: "CronJob", name: name!, uid: uid!, controller: true }] },
    spec: { ...cronjob("0").spec.jobTemplate.spec!, ttlSecondsAfterFinished: 0 },
  });
  const status = { startTime: time, completionTime: time, conditions: [condition("SuccessCriteriaMet"), condition("Complete")] };
  await plane.client.patch(jobs, key, { type: "application/merge-patch+json", body: { status } }, { subresource: "status" });
  const pass = async (): Promise<void> => {
    for (let minute = 0; minute < 20; minute++) {
      await clock.advance(60_000);
      await quiet(plane);
    }
  };
  await pass();
  expect(plane.list<Job>(jobs, ns).map(({ metadata }) => metadata.deletionTimestamp)).toEqual([undefined]);
  await plane.client.patch(cronjobs, { namespace: ns, name: name! }, { type: "application/merge-patch+json", body: { status: { lastScheduleTime: time } } }, { subresource: "status" });
  await pass();
  // Deleted in the foreground: the rest is the garbage collector's.
  expect(plane.list<Job>(jobs, ns).map(({ metadata }) => metadata.finalizers)).toEqual([["foregroundDeletion"]]);
}, 180_000);

/** Runs three hours of a cron job that keeps no jobs; each life of the controller has so many writes, the last one has all it wants. Returns how many there were. */
async function threeHours(lives: readonly number[], concurrencyPolicy: CronJobSpec["concurrencyPolicy"] & string): Promise<number> {
  const clock = new FakeClock();
  await using plane = await startControlPlane({ clock, select: () => false });
  const started: string[] = [];
  plane.informers.informer(jobs).onChange((old, current) => {
    if (!old && current) started.push(scheduled(current as Job));
  });
  await plane.client.create(cronjobs, cronjob("0", { schedule: "0 * * * *", concurrencyPolicy, successfulJobsHistoryLimit: 0 }));
  const finishJobs = async (): Promise<void> => {
    const time = new Date(clock.now()).toISOString(), condition = (type: string): object => ({ type, status: "True", lastTransitionTime: time });
    for (const job of plane.list<Job>(jobs, ns)) {
      if (job.status?.completionTime) continue;
      const status = { startTime: time, completionTime: time, conditions: [condition("SuccessCriteriaMet"), condition("Complete")] };
      await plane.client.patch(jobs, { namespace: ns, name: job.metadata.name! }, { type: "application/merge-patch+json", body: { status } }, { subresource: "status" });
    }
  };
  const end = clock.now() + 3.5 * 3_600_000;
  let written = 0;
  for (const life of [...lives, Infinity]) {
    const stop = new AbortController(), mortal = mortalClient(plane.client, life, () => stop.abort());
    const running = startControllers([cronjobController()], { clientFor: () => mortal.client, recorderFor: () => ({ event: () => undefined }), informers: plane.informers, clock }, stop.signal);
    while (!stop.signal.aborted && clock.now() < end) {
      await clock.advance(300_000);
      await quiet(plane, () => mortal.busy);
      await finishJobs();
    }
    const died = stop.signal.aborted;
    stop.abort();
    // A write that never ends keeps its worker: only who lives on drains.
    await (died ? mortal.settled() : running);
    written += mortal.written;
    // The job has ended before the next one looks.
    await finishJobs();
  }
  expect({ lives, started }).toEqual({ lives, started: ["01:00", "02:00", "03:00"] });
  expect({ lives, left: plane.list(jobs, ns), status: plane.list<CronJob>(cronjobs, ns)[0]!.status }).toEqual({ lives, left: [], status: { lastScheduleTime: "2026-01-01T03:00:00Z", lastSuccessfulTime: expect.any(String) } });
  return written;
}

test.each<CronJobSpec["concurrencyPolicy"] & string>(["Forbid", "Replace"])("each time starts one job whatever write the controller dies before (%s)", async (policy) => {
  const total = await threeHours([], policy);
  expect(total).toBe(12);
  for (let life = 0; life < total; life++) await threeHours([life], policy);
  await threeHours(Array.from({ length: total }, () => 1), policy);
}, 300_000);
