import { expect, test } from "bun:test";
import type { Job } from "../../apis/generated/batch/v1.ts";
import { expiryOf } from "./plan.ts";

const job = (ttl: number | undefined, conditions: NonNullable<Job["status"]>["conditions"] = [], deletionTimestamp?: string): Job => ({
  metadata: { name: "j", ...(deletionTimestamp ? { deletionTimestamp } : {}) }, spec: { template: {}, ...(ttl === undefined ? {} : { ttlSecondsAfterFinished: ttl }) }, status: { conditions },
});
const ended = (type: string, status = "True"): NonNullable<Job["status"]>["conditions"] => [{ type: "FailureTarget", status: "True", lastTransitionTime: "2026-01-01T00:00:00Z" }, { type, status, lastTransitionTime: "2026-01-01T00:01:00Z" }];

test.each<[string, Job, string | undefined]>([
  ["complete", job(10, ended("Complete")), "2026-01-01T00:01:10.000Z"],
  ["failed, and at once", job(0, ended("Failed")), "2026-01-01T00:01:00.000Z"],
  ["without a time to live", job(undefined, ended("Complete")), undefined],
  ["not finished", job(10, ended("Failed", "False")), undefined],
  ["going already", job(10, ended("Complete"), "2026-01-01T00:01:05Z"), undefined],
])("a job that is %s", (_, object, expected) => {
  const at = expiryOf(object);
  expect(at === undefined ? undefined : new Date(at).toISOString()).toBe(expected);
});
