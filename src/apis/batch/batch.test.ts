import { describe, expect, test } from "bun:test";
import { render } from "../../apimachinery/field-errors.ts";
import { anyone } from "../testing/anyone.ts";
import { scheduleError } from "./cron-schedule.ts";
import { cronjobs, type CronJob } from "./cronjob.ts";
import { countIndexes, firstCommonIndex } from "./indexes.ts";
import { jobs, type Job } from "./job.ts";

function job(change: (object: Job) => void = () => undefined): Job {
  const object = jobs.example!();
  object.metadata.uid = "u-1";
  change(object);
  jobs.default!(object);
  jobs.strategy.prepareForCreate!(object, anyone);
  return object;
}
const errors = (change: (object: Job) => void): string[] => jobs.strategy.validate!(job(change)).map(render);

test("a job's defaults, selector and labels", () => {
  const labels = { "controller-uid": "u-1", "job-name": "example", "batch.kubernetes.io/controller-uid": "u-1", "batch.kubernetes.io/job-name": "example" };
  const made = job();
  expect(made.spec).toMatchObject({ completions: 1, parallelism: 1, backoffLimit: 6, completionMode: "NonIndexed", suspend: false, manualSelector: false, podReplacementPolicy: "TerminatingOrFailed" });
  expect(made.spec!.selector).toEqual({ matchLabels: { "batch.kubernetes.io/controller-uid": "u-1" } });
  expect(made.spec!.template.metadata!.labels).toEqual(labels);
  expect(made.metadata.labels).toEqual(labels);
  expect(job((object) => { object.spec!.backoffLimitPerIndex = 1; }).spec!.backoffLimit).toBe(2_147_483_647);
});

describe("jobs", () => {
  test.each<[string, (object: Job) => void, string[]]>([
    ["labels of another", (object) => { object.spec!.template.metadata = { labels: { "job-name": "other" } }; }, ["spec.template.metadata.labels[job-name]: Invalid value: {\"batch.kubernetes.io/controller-uid\":\"u-1\",\"batch.kubernetes.io/job-name\":\"example\",\"controller-uid\":\"u-1\",\"job-name\":\"other\"}: must be 'example'"]],
    ["pods that never end", (object) => { object.spec!.template.spec!.restartPolicy = "Always"; }, ["spec.template.spec.restartPolicy: Required value: valid values: \"OnFailure\", \"Never\""]],
    ["indexed without a number", (object) => { Object.assign(object.spec!, { completionMode: "Indexed", parallelism: 2 }); }, ["spec.completions: Required value: when completion mode is Indexed"]],
    ["limits per index of what has none", (object) => { object.spec!.backoffLimitPerIndex = 1; }, ["spec.backoffLimitPerIndex: Invalid value: 1: requires indexed completion mode"]],
    ["a manager without a domain", (object) => { object.spec!.managedBy = "me"; }, ["spec.managedBy: Invalid value: \"me\": must be a domain-prefixed path (such as \"acme.io/foo\")"]],
    ["a failure rule that says nothing", (object) => { object.spec!.podFailurePolicy = { rules: [{ action: "" as never }] }; }, ["spec.podFailurePolicy.rules[0].action: Required value: valid values: [\"Count\" \"FailIndex\" \"FailJob\" \"Ignore\"]", "spec.podFailurePolicy.rules[0]: Invalid value: specifying one of OnExitCodes and OnPodConditions is required"]],
    ["exit codes out of order", (object) => { object.spec!.podFailurePolicy = { rules: [{ action: "FailJob", onExitCodes: { operator: "In", values: [5, 0] } }] }; }, ["spec.podFailurePolicy.rules[0].onExitCodes.values[1]: Invalid value: 0: must not be 0 for the In operator", "spec.podFailurePolicy.rules[0].onExitCodes.values: Invalid value: [5,0]: must be ordered"]],
    ["success of too many", (object) => { Object.assign(object.spec!, { completionMode: "Indexed", completions: 3, successPolicy: { rules: [{ succeededIndexes: "0-5" }] } }); }, ["spec.successPolicy.rules[0].succeededIndexes: Invalid value: \"0-5\": error parsing succeededIndexes: too large index: \"5\""]],
  ])("%s", (_, change, expected) => expect(errors(change)).toEqual(expected));

  test("the template changes in a suspended one that has not started, and there within bounds", () => {
    const old = job((object) => { object.spec!.suspend = true; }), changed = structuredClone(old);
    changed.spec!.template.spec!.nodeSelector = { a: "b" };
    changed.spec!.template.spec!.containers[0]!.resources = { requests: { cpu: "1" } };
    expect(jobs.strategy.validateUpdate!(changed, old)).toEqual([]);
    const running = structuredClone(old);
    running.spec!.suspend = false;
    expect(jobs.strategy.validateUpdate!(changed, running).map(({ field }) => field)).toEqual(["spec.template"]);
  });

  test("a status that cannot be", () => {
    const old = job(), object = structuredClone(old);
    object.status = { active: 1, conditions: [{ type: "Complete", status: "True" }], succeeded: 1 };
    expect(jobs.strategy.validateStatusUpdate!(object, old).map(render)).toEqual([
      "status.completionTime: Required value: completionTime is required for Complete jobs",
      "status.conditions: Invalid value: cannot set Complete=True condition without the SuccessCriteriaMet=true condition",
      "status.active: Invalid value: 1: active>0 is invalid for finished job",
      "status.startTime: Required value: startTime is required for finished job",
    ]);
  });

  test("columns", () => {
    const object = job();
    object.status = { succeeded: 1, startTime: "2026-01-01T00:00:00Z", completionTime: "2026-01-01T00:01:30Z", conditions: [{ type: "Complete", status: "True" }] };
    expect(jobs.columns.slice(1, 4).map(({ value }) => value(object, 0))).toEqual(["Complete", "1/1", "90s"]);
  });
});

test("sets of indexes", () => {
  expect(countIndexes("0,2-4", 9)).toBe(4);
  expect(countIndexes("2,1", 9)).toBe("non-increasing order, previous: 2, current: 1");
  expect(countIndexes("1-2-3", 9)).toBe("the fragment \"1-2-3\" violates the requirement that an index interval can have at most two parts separated by '-'");
  expect(firstCommonIndex("0,3-5", "1,4", 9)).toBe(4);
  expect(firstCommonIndex("0,3", "1,4", 9)).toBeUndefined();
});

test.each<[string, string | undefined]>([
  ["*/5 * * * *", undefined], ["0 0 * JAN-mar sun,Mon", undefined], ["? 1-5/2 * * *", undefined], ["@daily", undefined], ["@every 1h30m", undefined],
  ["* * * *", "expected exactly 5 fields, found 4: [* * * *]"],
  ["60 * * * *", "end of range (60) above maximum (59): 60"],
  ["* * 0 * *", "beginning of range (0) below minimum (1): 0"],
  ["5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"],
  ["*/0 * * * *", "step of range should be a positive number: */0"],
  ["a * * * *", "failed to parse int from a: strconv.Atoi: parsing \"a\": invalid syntax"],
  ["@sometimes", "unrecognized descriptor: @sometimes"],
  ["@every x", "failed to parse duration @every x: time: invalid duration \"x\""],
  ["TZ=Nowhere/Land * * * * *", "provided bad location Nowhere/Land: unknown time zone Nowhere/Land"],
])("the schedule %s", (schedule, expected) => expect(scheduleError(schedule)).toBe(expected!));

describe("cron jobs", () => {
  const cronErrors = (change: (object: CronJob) => void, old?: CronJob): string[] => {
    const object = cronjobs.example!();
    change(object);
    cronjobs.default!(object);
    return (old ? cronjobs.strategy.validateUpdate!(object, old) : cronjobs.strategy.validate!(object)).map(render);
  };
  test("defaults", () => {
    const object = cronjobs.example!();
    cronjobs.default!(object);
    expect(object.spec).toMatchObject({ concurrencyPolicy: "Allow", suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 });
  });
  test.each<[string, (object: CronJob) => void, string[]]>([
    ["a time zone in the schedule", (object) => { object.spec!.schedule = "TZ=UTC * * * * *"; }, ["spec.schedule: Invalid value: \"TZ=UTC * * * * *\": cannot use TZ or CRON_TZ in schedule, use timeZone field instead"]],
    ["a time zone in lower case", (object) => { object.spec!.timeZone = "europe/berlin"; }, ["spec.timeZone: Invalid value: \"europe/berlin\": unknown time zone europe/berlin"]],
    ["one that depends on the machine", (object) => { object.spec!.timeZone = "Local"; }, ["spec.timeZone: Invalid value: \"Local\": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones"]],
    ["a selector", (object) => { object.spec!.jobTemplate.spec!.selector = { matchLabels: {} }; }, ["spec.jobTemplate.spec.selector: Invalid value: {\"matchLabels\":{}}: `selector` will be auto-generated"]],
    ["a name too long for its jobs", (object) => { object.metadata.name = "x".repeat(53); }, [`metadata.name: Invalid value: "${"x".repeat(53)}": must be no more than 52 characters`]],
  ])("%s", (_, change, expected) => expect(cronErrors(change)).toEqual(expected));
  test("a schedule that always had a time zone keeps it", () => {
    const old = cronjobs.example!();
    old.spec!.schedule = "TZ=UTC * * * * *";
    expect(cronErrors((object) => { object.spec!.schedule = "TZ=UTC 1 * * * *"; }, old)).toEqual([]);
  });
});
