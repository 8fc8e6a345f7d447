import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { isAlreadyExists, isNotFound } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { cronjobs, jobs } from "../../apis/builtins.ts";
import type { CronJob, CronJobStatus, Job } from "../../apis/generated/batch/v1.ts";
import { defineController, type Controller, type ReconcileContext, type ReconcileResult } from "../../client/controller.ts";
import { referenceTo } from "../../client/recorder.ts";
import { isControlledBy } from "../controller-ref.ts";
import { newJob } from "./new-job.ts";
import { nextStart, planBookkeeping, planStart, readSchedule, type PlannedEvent, type StartPlan } from "./plan.ts";

/** Starts jobs by the clock. Source: kubernetes pkg/controller/cronjob (controller v2). */
export function cronjobController(): Controller {
  const changes = new ScheduleChanges();
  return defineController<CronJob>({
    name: "cronjob-controller", for: cronjobs, owns: [jobs], writes: [cronjobs, jobs], workers: 5,
    async reconcile(key, context) {
      const cronjob = context.lister(cronjobs).get(key);
      if (!cronjob) return changes.forget(key);
      const notBefore = changes.notBefore(key, cronjob, context.now());
      const current = await keepBooks(cronjob, context);
      const plan = planStart(current, context.now(), notBefore);
      tell(current, plan.events, context);
      return act(current, plan, context);
    },
  });
}

/** A schedule that changes starts nothing at once, whatever it would have missed: the first job is that of its next time. */
class ScheduleChanges {
  readonly #seen = new Map<string, { schedule: string; notBefore: number }>();

  notBefore(key: string, cronjob: Frozen<CronJob>, now: number): number {
    const schedule = JSON.stringify([cronjob.metadata.uid, cronjob.spec.schedule, cronjob.spec.timeZone]), seen = this.#seen.get(key);
    if (seen?.schedule === schedule) return seen.notBefore;
    const reading = readSchedule(cronjob), changed = seen !== undefined && !("error" in reading);
    const notBefore = changed ? nextStart(cronjob, reading.schedule, reading.zone, now) ?? 0 : 0;
    this.#seen.set(key, { schedule, notBefore });
    return notBefore;
  }

  forget(key: string): void {
    this.#seen.delete(key);
  }
}

/** Brings the status up to date, then removes jobs beyond the history limits: in this order none is forgotten that has run. */
async function keepBooks(cronjob: Frozen<CronJob>, context: ReconcileContext): Promise<Frozen<CronJob>> {
  const { lister } = context;
  const books = planBookkeeping(cronjob, lister(jobs).controlledBy(cronjob.metadata.uid!), ({ namespace, name }) => lister(jobs).get(`${namespace}/${name}`) !== undefined);
  const current = await writeStatus(cronjob, books.status, context);
  tell(cronjob, books.events, context);
  for (const { metadata } of books.remove) await deleteJob(cronjob, metadata.name!, context);
  return current;
}

async function act(cronjob: Frozen<CronJob>, { start, replace, requeueAt }: StartPlan, context: ReconcileContext): Promise<ReconcileResult> {
  if (start === undefined) return { requeueAt };
  for (const { name } of replace) await deleteJob(cronjob, name!, context);
  const job = await createJob(cronjob, start, context);
  if (!job) return { requeueAt };
  const left = (cronjob.status?.active ?? []).filter((reference) => !replace.includes(reference));
  await writeStatus(cronjob, { ...thaw<CronJobStatus>(cronjob.status ?? {}), active: [...left, referenceTo(job)], lastScheduleTime: formatTime(start) }, context);
  return { requeueAt };
}

/** The job of this time, also when it was there already; undefined when another's is in its place. */
async function createJob(cronjob: Frozen<CronJob>, scheduled: number, { client, recorder }: ReconcileContext): Promise<Frozen<Job> | undefined> {
  const job = newJob(cronjob, scheduled), { namespace, name } = job.metadata;
  try {
    const created = await client.create(jobs, job);
    recorder.event(cronjob, "Normal", "SuccessfulCreate", `Created job ${name}`);
    return created;
  } catch (error) {
    if (!isAlreadyExists(error)) {
      recorder.event(cronjob, "Warning", "FailedCreate", `Error creating job: ${(error as Error).message}`);
      throw error;
    }
  }
  const existing = await client.get(jobs, { namespace, name: name! });
  return isControlledBy(existing, cronjob) ? existing : undefined;
}

async function deleteJob(cronjob: Frozen<CronJob>, name: string, { client, recorder }: ReconcileContext): Promise<void> {
  try {
    await client.delete(jobs, { namespace: cronjob.metadata.namespace, name }, { propagationPolicy: "Background" });
    recorder.event(cronjob, "Normal", "SuccessfulDelete", `Deleted job ${name}`);
  } catch (error) {
    if (isNotFound(error)) return;
    recorder.event(cronjob, "Warning", "FailedDelete", `Deleted job: ${(error as Error).message}`);
    throw error;
  }
}

async function writeStatus(cronjob: Frozen<CronJob>, status: CronJobStatus, { client }: ReconcileContext): Promise<Frozen<CronJob>> {
  if (Bun.deepEquals(status, cronjob.status ?? {})) return cronjob;
  return client.update(cronjobs, { ...thaw<CronJob>(cronjob), status }, { subresource: "status" });
}

function tell(cronjob: Frozen<CronJob>, events: readonly PlannedEvent[], { recorder }: ReconcileContext): void {
  for (const { type, reason, message } of events) recorder.event(cronjob, type, reason, message);
}
