import { semanticEqual } from "../../apimachinery/equality.ts";
import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { isNamespaceTerminating } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { jobs, pods } from "../../apis/builtins.ts";
import type { Job, JobStatus } from "../../apis/generated/batch/v1.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { defineController, type Controller, type ReconcileContext, type ReconcileResult } from "../../client/controller.ts";
import { applyClaim, planClaim, possibleOwners } from "../controller-ref.ts";
import { finishedCondition, isJobFinished } from "../job-status.ts";
import { followOrphans } from "../orphans.ts";
import { createPod, deletePod } from "../pod-control.ts";
import { isPodActive } from "../pod-status.ts";
import { selects } from "../selects.ts";
import { slowStart } from "../slow-start.ts";
import { addCondition, closeAccounts, openAccounts, type Accounts } from "./accounting.ts";
import { assess, hasCondition, type Assessment, type Memory, type Outcome } from "./assessment.ts";
import { trackingFinalizer } from "./job-pods.ts";
import { newPod } from "./new-pod.ts";
import { outcomeAfter, planPods, type PodsPlan } from "./plan.ts";
import { releasePod } from "./release.ts";
import { noteSuspension } from "./suspension.ts";

/** Whether another program runs the job. */
export const isManagedElsewhere = ({ spec: { managedBy } }: Frozen<Job>): boolean => managedBy !== undefined && managedBy !== "kubernetes.io/job-controller";

/** Runs pods to their end, and counts each once. Source: kubernetes pkg/controller/job. */
export function jobController(): Controller {
  const memories = new Map<string, JobMemory>();
  const orphans = followOrphans<Pod>(pods, (pod, lister) => possibleOwners(pod, (namespace) => lister(jobs).list(namespace).filter((job) => !isJobFinished(job)), (job) => selects(job.spec.selector)));
  return defineController<Job>({
    name: "job-controller", for: jobs, owns: [pods], writes: [jobs, pods], workers: 5, retry: { baseDelay: 1000, maxDelay: 60_000 },
    watches: [orphans.watch],
    async reconcile(key, context) {
      const job = context.lister(jobs).get(key);
      if (!job || isJobFinished(job) || isManagedElsewhere(job)) return void memories.delete(key);
      const known = memories.get(key), memory: JobMemory = known && known.uid === job.metadata.uid ? known : { uid: job.metadata.uid! };
      memories.set(key, memory);
      const claim = planClaim<Frozen<Pod>>(job, orphans.claimable(job, context.lister), selects(job.spec.selector));
      const owned = await applyClaim({ client: context.client, card: jobs, object: job, finalizer: trackingFinalizer }, pods, claim);
      return sync(job, owned, memory, context);
    },
  });
}

interface JobMemory {
  readonly uid: string;
  kept?: Memory;
}

async function sync(found: Frozen<Job>, owned: readonly Frozen<Pod>[], memory: JobMemory, context: ReconcileContext): Promise<ReconcileResult> {
  const times = { now: context.now(), monotonic: context.monotonic() }, assessment = assess(found, owned, memory.kept, times);
  const job = await announce(found, assessment, context);
  const plan = planPods(job, owned, assessment, times.monotonic);
  const refused = await applyPods(job, plan, assessment, context);
  const podsNow = podsOf(job, context), outcome = outcomeAfter(job, assessment, podsNow.filter(isPodActive).length);
  const accounts = openAccounts(job, owned, podsNow, assessment, outcome, times.now);
  const opened = await writeOpened(job, accounts, assessment.outcome ?? outcome, context);
  memory.kept = assessment.memory;
  await close(opened, accounts, outcome, context);
  if (refused !== undefined) throw refused;
  const waits = [plan.retryAfter, assessment.outcome ? undefined : assessment.deadlineAt && assessment.deadlineAt - times.monotonic].filter((wait) => wait !== undefined);
  return waits.length > 0 ? { requeueAfter: Math.min(...waits) } : {};
}

const podsOf = (job: Frozen<Job>, { lister }: ReconcileContext): readonly Frozen<Pod>[] => lister(pods).controlledBy(job.metadata.uid!);

/** How the job ends is in the status before pods are deleted for it: were it decided anew from what they leave, it might be decided otherwise. */
async function announce(job: Frozen<Job>, { active, outcome }: Assessment, context: ReconcileContext): Promise<Frozen<Job>> {
  if (!outcome || active.length === 0 || hasCondition(job, outcome.type)) return job;
  const status = thaw<JobStatus>(job.status ?? {});
  addCondition(status, outcome, context.now());
  return writeStatus(job, status, context);
}

/** Returns the first error; others are like it. */
async function applyPods(job: Frozen<Job>, plan: PodsPlan, { awaitingReplacement }: Assessment, context: ReconcileContext): Promise<unknown> {
  const deleted = await Promise.allSettled(plan.delete.map(async (pod) => {
    // Once free it is not counted, and goes even if this process ends before it is deleted.
    if (plan.discard) await releasePod(pod, context.client);
    await deletePod(job, pod, context);
  }));
  const refused = deleted.find((result) => result.status === "rejected");
  if (refused) return refused.reason;
  const indexes = plan.create.values();
  const { error } = await slowStart(plan.create.length, async () => {
    const index = indexes.next().value;
    await createPod(job, newPod(job, index, index === undefined ? undefined : awaitingReplacement.get(index)), context).catch(unlessNamespaceGoes);
  });
  return error;
}

function unlessNamespaceGoes(error: unknown): void {
  if (!isNamespaceTerminating(error)) throw error;
}

async function writeOpened(job: Frozen<Job>, { status }: Accounts, outcome: Outcome | undefined, context: ReconcileContext): Promise<Frozen<Job>> {
  const now = context.now();
  if (!job.spec.suspend) status.startTime ??= formatTime(now);
  const noted = outcome || job.metadata.deletionTimestamp ? undefined : noteSuspension(job, status, now);
  const written = await writeStatus(job, status, context);
  if (noted) context.recorder.event(job, "Normal", noted, `Job ${noted.toLowerCase()}`);
  return written;
}

async function close(job: Frozen<Job>, { release, partial }: Accounts, outcome: Outcome | undefined, context: ReconcileContext): Promise<void> {
  const released = await Promise.allSettled(release.map((pod) => releasePod(pod, context.client)));
  const refused = released.find((result) => result.status === "rejected");
  const closed = await writeStatus(job, closeAccounts(job.status ?? {}, podsOf(job, context), partial || refused ? undefined : outcome, context.now()), context);
  tellEnd(closed, context);
  if (refused) throw refused.reason;
}

function tellEnd(job: Frozen<Job>, { recorder }: ReconcileContext): void {
  const finished = finishedCondition(job);
  if (finished?.type === "Failed") recorder.event(job, "Warning", finished.reason!, finished.message!);
  if (finished?.type !== "Complete") return;
  const { spec: { completions = Infinity }, status } = job;
  if ((status?.succeeded ?? 0) > completions) recorder.event(job, "Warning", "TooManySucceededPods", "Too many succeeded pods running after completion count reached");
  recorder.event(job, "Normal", "Completed", "Job completed");
}

async function writeStatus(job: Frozen<Job>, status: JobStatus, { client }: ReconcileContext): Promise<Frozen<Job>> {
  return semanticEqual(status, job.status ?? {}) ? job : client.update(jobs, { ...thaw<Job>(job), status }, { subresource: "status" });
}
