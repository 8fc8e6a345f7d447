import { semanticEqual } from "../../apimachinery/equality.ts";
import { duplicate, invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import type { Job, JobStatus } from "../generated/batch/v1.ts";
import { invalidObject, nonNegative } from "../core/field-rules.ts";
import { countIndexes, firstCommonIndex } from "./indexes.ts";

/** A Job may be another program's to run (`managedBy`), so its status is held to what clients count on. What was wrong before and is left alone may stay. */
export function validateJobStatusUpdate(job: Frozen<Job>, old: Frozen<Job>): FieldError[] {
  const now = viewOf(job), was = viewOf(old);
  return [...validateCounts(now.status), ...validateConditions(now, was), ...validateProgress(now, was), ...validateIndexes(now, was), ...validateLateCounts(now, was), ...validateTransitions(now, was)];
}

interface View {
  job: Frozen<Job>;
  status: Frozen<JobStatus>;
  has(type: string): boolean;
  finished: boolean;
}

function viewOf(job: Frozen<Job>): View {
  const status = job.status ?? {};
  const has = (type: string): boolean => status.conditions?.some((condition) => condition.type === type && condition.status === "True") ?? false;
  return { job, status, has, finished: has("Complete") || has("Failed") };
}

const changed = (now: View, was: View, ...types: readonly string[]): boolean => types.some((type) => now.has(type) !== was.has(type));
const differs = (now: View, was: View, ...fields: readonly (keyof JobStatus)[]): boolean => fields.some((field) => !semanticEqual(now.status[field], was.status[field]));
const conditions = (detail: string): FieldError => invalidObject("status.conditions", detail);

function validateCounts(status: Frozen<JobStatus>): FieldError[] {
  const errors = (["active", "succeeded", "failed", "ready", "terminating"] as const).flatMap((name) => nonNegative(`status.${name}`, status[name]));
  const seen = new Set<string>();
  for (const list of ["succeeded", "failed"] as const) {
    for (const [index, uid] of (status.uncountedTerminatedPods?.[list] ?? []).entries()) {
      const at = `status.uncountedTerminatedPods.${list}[${index}]`;
      if (uid === "") errors.push(invalidValue(at, uid, "must not be empty"));
      else if (seen.has(uid)) errors.push(duplicate(at, uid));
      seen.add(uid);
    }
  }
  return errors;
}

function validateConditions(now: View, was: View): FieldError[] {
  const { status, has } = now, complete = has("Complete"), at = "status.completionTime";
  const completion = changed(now, was, "Complete") || differs(now, was, "completionTime");
  const errors: FieldError[] = [];
  if (changed(now, was, "Complete", "Failed") && complete && has("Failed")) errors.push(conditions("cannot set Complete=True and Failed=true conditions"));
  if (changed(now, was, "Complete", "FailureTarget") && complete && has("FailureTarget")) errors.push(conditions("cannot set Complete=True and FailureTarget=true conditions"));
  if (completion && status.completionTime && !complete) errors.push(invalidValue(at, status.completionTime, "cannot set completionTime when there is no Complete=True condition"));
  if (completion && !status.completionTime && complete) errors.push(required(at, "completionTime is required for Complete jobs"));
  if (differs(now, was, "startTime", "completionTime") && status.startTime && status.completionTime && Date.parse(status.completionTime) < Date.parse(status.startTime)) {
    errors.push(invalidValue(at, status.completionTime, "must be equal to or after `startTime`"));
  }
  if ((changed(now, was, "Failed") || differs(now, was, "failedIndexes")) && has("Failed") && !has("FailureTarget")) errors.push(conditions("cannot set Failed=True condition without the FailureTarget=true condition"));
  if (changed(now, was, "Complete", "SuccessCriteriaMet") && complete && !has("SuccessCriteriaMet")) errors.push(conditions("cannot set Complete=True condition without the SuccessCriteriaMet=true condition"));
  return errors;
}

function validateProgress(now: View, was: View): FieldError[] {
  const { status, finished, job } = now, justFinished = finished !== was.finished;
  const errors: FieldError[] = [];
  if ((justFinished || differs(now, was, "active")) && (status.active ?? 0) > 0 && finished) errors.push(invalidValue("status.active", status.active, "active>0 is invalid for finished job"));
  const neverRan = job.spec?.suspend === true && job.spec.completions === 0;
  if ((justFinished || differs(now, was, "startTime")) && !neverRan && !status.startTime && finished) errors.push(required("status.startTime", "startTime is required for finished job"));
  const uncounted = status.uncountedTerminatedPods;
  if ((justFinished || differs(now, was, "uncountedTerminatedPods")) && finished && uncounted && (uncounted.failed?.length ?? 0) + (uncounted.succeeded?.length ?? 0) > 0) {
    errors.push(invalidValue("status.uncountedTerminatedPods", uncounted, "must be empty for finished job"));
  }
  return errors;
}

function validateIndexes(now: View, was: View): FieldError[] {
  const { status: { completedIndexes: completed = "", failedIndexes: failed }, job: { spec } } = now;
  const completedChanged = differs(now, was, "completedIndexes") && completed !== (was.status.completedIndexes ?? ""), failedChanged = differs(now, was, "failedIndexes");
  const completions = spec?.completions, errors: FieldError[] = [];
  const parse = (name: string, text: string): void => {
    const counted = countIndexes(text, completions!);
    if (typeof counted === "string") errors.push(invalidValue(`status.${name}`, text, `error parsing ${name}: ${counted}`));
  };
  if (completedChanged && completions !== undefined) parse("completedIndexes", completed);
  if (failedChanged && completions !== undefined && spec?.backoffLimitPerIndex !== undefined && failed !== undefined) parse("failedIndexes", failed);
  if (completedChanged && completed !== "" && spec?.completionMode !== "Indexed") errors.push(invalidValue("status.completedIndexes", completed, "cannot set non-empty completedIndexes when non-indexed completion mode"));
  if (failedChanged && spec?.backoffLimitPerIndex === undefined && failed !== undefined) errors.push(invalidValue("status.failedIndexes", failed, "cannot set non-null failedIndexes when backoffLimitPerIndex is null"));
  if ((failedChanged || completedChanged) && completions !== undefined && failed) {
    const common = firstCommonIndex(completed, failed, completions);
    if (common !== undefined) errors.push(invalidValue("status.failedIndexes", failed, `failedIndexes and completedIndexes overlap at index: ${common}`));
  }
  return errors;
}

function validateLateCounts(now: View, was: View): FieldError[] {
  const { status, finished, has, job } = now, errors: FieldError[] = [];
  if ((finished !== was.finished || differs(now, was, "terminating")) && (status.terminating ?? 0) > 0 && finished) errors.push(invalidValue("status.terminating", status.terminating, "terminating>0 is invalid for finished job"));
  if (differs(now, was, "ready", "active") && status.ready !== undefined && status.ready > (status.active ?? 0)) errors.push(invalidValue("status.ready", status.ready, "cannot set more ready pods than active"));
  if (has("SuccessCriteriaMet") && has("Failed")) errors.push(conditions("cannot set SuccessCriteriaMet=True and Failed=true conditions"));
  if (has("SuccessCriteriaMet") && has("FailureTarget")) errors.push(conditions("cannot set SuccessCriteriaMet=True and FailureTarget=true conditions"));
  if (job.spec?.successPolicy && !has("SuccessCriteriaMet") && has("Complete")) errors.push(conditions("cannot set Complete=True for Job with SuccessPolicy unless SuccessCriteriaMet=True"));
  return errors;
}

/** What was reached stays reached. */
function validateTransitions(now: View, was: View): FieldError[] {
  const { status, has, job: { spec } } = now, errors: FieldError[] = [];
  for (const type of ["Failed", "Complete", "FailureTarget"]) if (was.has(type) && !has(type)) errors.push(conditions(`cannot disable the terminal ${type}=True condition`));
  if ((status.failed ?? 0) < (was.status.failed ?? 0)) errors.push(invalidValue("status.failed", status.failed ?? 0, "cannot decrease the failed counter"));
  const elastic = spec?.completionMode === "Indexed" && spec.completions === spec.parallelism;
  if (!elastic && (status.succeeded ?? 0) < (was.status.succeeded ?? 0)) errors.push(invalidValue("status.succeeded", status.succeeded ?? 0, "cannot decrease the succeeded counter"));
  if (status.completionTime && was.status.completionTime && status.completionTime !== was.status.completionTime) errors.push(invalidValue("status.completionTime", status.completionTime, "field is immutable"));
  const resuming = was.has("Suspended") && status.conditions?.some(({ type, status: state }) => type === "Suspended" && state === "False");
  if (!resuming && was.status.startTime && status.startTime !== was.status.startTime && !spec?.suspend) errors.push(invalidValue("status.startTime", status.startTime, "field is immutable for unsuspended job once set"));
  if (was.has("SuccessCriteriaMet") && !has("SuccessCriteriaMet")) errors.push(conditions("cannot disable the SuccessCriteriaMet=True condition"));
  if (was.has("Complete") && !was.has("SuccessCriteriaMet") && has("SuccessCriteriaMet")) errors.push(conditions("cannot set SuccessCriteriaMet=True for Job already has Complete=true conditions"));
  return errors;
}
