import { expect, test } from "bun:test";
import { join } from "node:path";
import { skiffForThisFile } from "../support/e2e.ts";
import type { LoadReport } from "../support/load.ts";
import { type RunningProgram, startProgram } from "../support/running.ts";
import { deployment, service, webServer } from "../support/workloads.ts";

const skiff = await skiffForThisFile();
const { kubectl, network } = skiff;

/** Pods that let go gently: endpoints forget them while they still serve. */
const web = (text: string, strategy: object = { rollingUpdate: { maxUnavailable: 0, maxSurge: 1 } }): object =>
  deployment("web", 3, webServer(`echo ${text} > /www/index.html`, { lifecycle: { preStop: { exec: { command: ["sleep", "5"] } } } }), { terminationGracePeriodSeconds: 8, strategy });
const rolledOut = (): Promise<string> => kubectl("rollout", "status", "deployment/web", "--timeout=120s");

/** Runs `work` while the Service is asked without a pause. */
async function underLoad(work: (load: RunningProgram) => Promise<unknown>): Promise<LoadReport> {
  const { spec } = await kubectl.get("service", "web");
  const load = startProgram(network.inside([process.execPath, join(import.meta.dir, "../support/load.ts"), `http://${spec.clusterIP}/`, "8"]));
  try {
    await load.until(/asking/);
    await work(load);
  } finally {
    load.endInput();
    await load.exited;
  }
  return JSON.parse(load.text().split("\n").at(-2)!) as LoadReport;
}

test("a rolling update drops no request", async () => {
  await kubectl.apply(web("one"), service("web"));
  await rolledOut();
  const report = await underLoad(async (load) => {
    await kubectl.apply(web("two"));
    await rolledOut();
    await load.until(/answered two/);
  });
  expect(report.failures).toEqual([]);
  expect(report.answered).toBeGreaterThan(200);
  expect(new Set(report.bodies)).toEqual(new Set(["one", "two"]));
});

test("nor does a rollback, nor scaling down and up", async () => {
  const report = await underLoad(async () => {
    await kubectl("rollout", "undo", "deployment/web");
    await rolledOut();
    await kubectl("scale", "deployment/web", "--replicas=1");
    await rolledOut();
    await kubectl("scale", "deployment/web", "--replicas=4");
    await rolledOut();
  });
  expect(report.failures).toEqual([]);
  expect(report.bodies).toContain("one");
});

test("Recreate lets no two versions run at once", async () => {
  await kubectl("delete", "deployment", "web", "--cascade=foreground");
  await kubectl.apply(web("one", { type: "Recreate" }));
  await rolledOut();
  const report = await underLoad(async (load) => {
    await kubectl.apply(web("two", { type: "Recreate" }));
    await rolledOut();
    await load.until(/answered two/);
  });
  expect(report.failures.length).toBeGreaterThan(0);
  expect(report.bodies).toEqual(["one", "two"]);
});
