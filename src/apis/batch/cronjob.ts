import { invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { age, ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { formatLabelSelector } from "../../apimachinery/selectors/labels.ts";
import type { CronJob, CronJobSpec } from "../generated/batch/v1.ts";
import { nonNegative } from "../core/field-rules.ts";
import { containerColumns, nameWarnings } from "../core/pod/template.ts";
import { scheduleError } from "./cron-schedule.ts";
import { defaultJobSpec, jobSelectorDescription, jobSpecWarnings } from "./job.ts";
import { validateJobSpec } from "./job-spec-validation.ts";
import { validateTimeZone } from "./time-zone.ts";
export type { CronJob } from "../generated/batch/v1.ts";

export const cronjobs = defineResource<CronJob>({
  group: "batch", version: "v1", kind: "CronJob", resource: "cronjobs", scope: "Namespaced", shortNames: ["cj"], categories: ["all"],
  subresources: { status: true },
  schema: "io.k8s.api.batch.v1.CronJob",
  default: defaultCronJob,
  strategy: {
    prepareForCreate(cronjob) {
      cronjob.status = {};
    },
    validate: ({ metadata, spec }) => [
      ...validateSpec(spec ?? { schedule: "", jobTemplate: {} }),
      // The controller appends eleven characters to name a Job.
      ...((metadata.name ?? "").length > 52 ? [invalidValue("metadata.name", metadata.name, "must be no more than 52 characters")] : []),
    ],
    validateUpdate: ({ spec }, old) => validateSpec(spec ?? { schedule: "", jobTemplate: {} }, old.spec),
    warnings,
  },
  columns: [
    nameColumn(),
    { name: "Schedule", type: "string", description: "The schedule in Cron format, see https://en.wikipedia.org/wiki/Cron.", value: ({ spec }) => spec?.schedule ?? "" },
    { name: "Timezone", type: "string", description: "The time zone name for the given schedule, see https://en.wikipedia.org/wiki/List_of_tz_database_time_zones. If not specified, this will default to the time zone of the kube-controller-manager process. The set of valid time zone names and the time zone offset is loaded from the system-wide time zone database by the API server during CronJob validation and the controller manager during execution. If no system-wide time zone database can be found a bundled version of the database is used instead. If the time zone name becomes invalid during the lifetime of a CronJob or due to a change in host configuration, the controller will stop creating new new Jobs and will create a system event with the reason UnknownTimeZone. More information can be found in https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/#time-zones", value: ({ spec }) => spec?.timeZone ?? "<none>" },
    { name: "Suspend", type: "boolean", description: "This flag tells the controller to suspend subsequent executions, it does not apply to already started executions.  Defaults to false.", value: ({ spec }) => (spec?.suspend === undefined ? "<unset>" : spec.suspend ? "True" : "False") },
    { name: "Active", type: "integer", description: "A list of pointers to currently running jobs.", value: ({ status }) => status?.active?.length ?? 0 },
    { name: "Last Schedule", type: "string", description: "Information when was the last time the job was successfully scheduled.", value: ({ status }, now) => (status?.lastScheduleTime ? age(status.lastScheduleTime, now) : "<none>") },
    ageColumn(),
    ...containerColumns<CronJob>(({ spec }) => spec?.jobTemplate?.spec?.template),
    { name: "Selector", type: "string", priority: 1, description: jobSelectorDescription, value: ({ spec }) => formatLabelSelector(spec?.jobTemplate?.spec?.selector) },
  ],
  example: () => ({
    apiVersion: "batch/v1", kind: "CronJob", metadata: { name: "example", namespace: "default" },
    spec: { schedule: "*/5 * * * *", jobTemplate: { spec: { template: { spec: { restartPolicy: "Never", containers: [{ name: "main", image: "busybox:1.36" }] } } } } },
  }),
});

function defaultCronJob(cronjob: CronJob): void {
  const spec = (cronjob.spec ??= { schedule: "", jobTemplate: {} });
  spec.concurrencyPolicy ||= "Allow";
  spec.suspend ??= false;
  spec.successfulJobsHistoryLimit ??= 3;
  spec.failedJobsHistoryLimit ??= 1;
  (spec.jobTemplate ??= {}).metadata ??= {};
  defaultJobSpec(spec.jobTemplate.spec ??= { template: {} });
}

const concurrencyPolicies = ["Allow", "Forbid", "Replace"];

function validateSpec(spec: Frozen<CronJobSpec>, old?: Frozen<CronJobSpec>): FieldError[] {
  const { concurrencyPolicy: policy = "", jobTemplate } = spec, template = jobTemplate?.spec ?? { template: {} };
  const errors = spec.schedule ? validateSchedule(spec, old) : [required("spec.schedule")];
  errors.push(...nonNegative("spec.startingDeadlineSeconds", spec.startingDeadlineSeconds));
  if (!old || old.timeZone !== spec.timeZone) errors.push(...validateTimeZone("spec.timeZone", spec.timeZone));
  if (policy === "") errors.push(required("spec.concurrencyPolicy"));
  else if (!concurrencyPolicies.includes(policy)) errors.push(notSupported("spec.concurrencyPolicy", policy, concurrencyPolicies));
  errors.push(...validateJobSpec("spec.jobTemplate.spec", template));
  if (template.selector) errors.push(invalidValue("spec.jobTemplate.spec.selector", template.selector, "`selector` will be auto-generated"));
  if (template.manualSelector) errors.push(notSupported("spec.jobTemplate.spec.manualSelector", true, ["nil", "false"]));
  return [...errors, ...nonNegative("spec.successfulJobsHistoryLimit", spec.successfulJobsHistoryLimit), ...nonNegative("spec.failedJobsHistoryLimit", spec.failedJobsHistoryLimit)];
}

/** A schedule says no time zone of its own, unless it always did. */
function validateSchedule({ schedule, timeZone }: Frozen<CronJobSpec>, old?: Frozen<CronJobSpec>): FieldError[] {
  const wrong = scheduleError(schedule), errors = wrong === undefined ? [] : [invalidValue("spec.schedule", schedule, wrong)];
  if (!schedule.includes("TZ")) return errors;
  if (!old?.schedule?.includes("TZ")) return [...errors, invalidValue("spec.schedule", schedule, "cannot use TZ or CRON_TZ in schedule, use timeZone field instead")];
  return timeZone === undefined ? errors : [...errors, invalidValue("spec.schedule", schedule, "cannot use both timeZone field and TZ or CRON_TZ in schedule")];
}

function warnings({ metadata, spec }: Frozen<CronJob>, old?: Frozen<CronJob>): string[] {
  const template = spec?.jobTemplate?.spec ?? { template: {} };
  return [
    ...(old ? [] : nameWarnings(metadata.name)),
    ...jobSpecWarnings("spec.jobTemplate.spec", template, old?.spec?.jobTemplate?.spec),
    ...(old && spec?.schedule?.includes("TZ") ? ["cannot use TZ or CRON_TZ in spec.spec.schedule, use timeZone instead, see https://kubernetes.io/docs/concepts/workloads/controllers/cron-jobs/ for more details"] : []),
  ];
}
