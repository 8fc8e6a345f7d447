import type { Frozen } from "../../apimachinery/meta.ts";
import { formatTime } from "../../apimachinery/time.ts";
import type { Job, JobCondition, JobStatus } from "../../apis/generated/batch/v1.ts";

/** Tells in the status that the job is suspended, or goes on: its time begins anew then. Returns the reason of the Event that says so. */
export function noteSuspension({ spec }: Frozen<Job>, status: JobStatus, now: number): "Suspended" | "Resumed" | undefined {
  const present = status.conditions?.find(({ type }) => type === "Suspended");
  if (spec.suspend ? present?.status === "True" : present?.status !== "True") return undefined;
  const time = formatTime(now);
  const condition: JobCondition = spec.suspend
    ? { type: "Suspended", status: "True", lastProbeTime: time, lastTransitionTime: time, reason: "JobSuspended", message: "Job suspended" }
    : { type: "Suspended", status: "False", lastProbeTime: time, lastTransitionTime: time, reason: "JobResumed", message: "Job resumed" };
  if (present) Object.assign(present, condition);
  else (status.conditions ??= []).push(condition);
  if (spec.suspend) delete status.startTime;
  else status.startTime = time;
  return spec.suspend ? "Suspended" : "Resumed";
}
