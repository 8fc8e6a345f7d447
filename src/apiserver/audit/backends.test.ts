import { afterEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../base/clock.ts";
import { createMetrics } from "../../base/metrics.ts";
import { eventually } from "../../../test/support/eventually.ts";
import type { AuditEvent } from "./event.ts";
import { logBackend } from "./log-backend.ts";
import { webhookBackend } from "./webhook-backend.ts";

const event = (auditID: string): AuditEvent => ({ kind: "Event", apiVersion: "audit.k8s.io/v1", level: "Metadata", auditID, stage: "ResponseComplete", requestURI: "/", verb: "get", user: { username: "a" }, sourceIPs: [], requestReceivedTimestamp: "", stageTimestamp: "" });
let directory = "";
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("the log is rotated by size, and old files go by number and age", async () => {
  directory = mkdtempSync(join(tmpdir(), "skiff-audit-"));
  const path = join(directory, "audit.log");
  let now = Date.parse("2026-01-01T00:00:00Z");
  const line = JSON.stringify(event("00")).length + 1;
  const backend = logBackend({ path, maxSizeBytes: 2 * line, maxBackups: 2, maxAgeMs: 3_600_000, now: () => now });
  for (let i = 10; i < 19; i++) {
    backend.record(event(String(i)));
    now += 1000;
  }
  const backups = (): string[] => readdirSync(directory).filter((name) => name !== "audit.log").sort();
  expect(backups()).toHaveLength(2);
  expect(backups()[0]).toMatch(/^audit-2026-01-01T00-00-0\d\.000\.log$/);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readFileSync(path, "utf8").trim().split("\n").map((text) => (JSON.parse(text) as AuditEvent).auditID)).toEqual(["18"]);
  now += 7_200_000;
  for (const id of ["20", "21"]) backend.record(event(id));
  expect(backups()).toHaveLength(1);
  await backend.close();
});

test("a mode says what becomes of a request whose event can't be written", async () => {
  directory = mkdtempSync(join(tmpdir(), "skiff-audit-"));
  const path = join(directory, "audit.log");
  for (const [mode, goesOn] of [["blocking", true], ["blocking-strict", false]] as const) {
    const backend = logBackend({ path, maxSizeBytes: 1, maxBackups: 0, maxAgeMs: 0, mode, now: Date.now });
    expect(backend.record(event("1"))).toBe(true);
    // Setting the file aside fails: there is nothing to set aside.
    rmSync(directory, { recursive: true });
    expect(backend.record(event("2"))).toBe(goesOn);
    mkdirSync(directory);
  }
});

test("a batch is written together, at the latest on closing", async () => {
  directory = mkdtempSync(join(tmpdir(), "skiff-audit-"));
  const path = join(directory, "audit.log");
  const backend = logBackend({ path, maxSizeBytes: 1 << 20, maxBackups: 0, maxAgeMs: 0, mode: "batch", now: Date.now });
  for (const id of ["1", "2", "3"]) expect(backend.record(event(id))).toBe(true);
  expect(readFileSync(path, "utf8")).toBe("");
  await eventually(() => expect(readFileSync(path, "utf8").trim().split("\n")).toHaveLength(3));
  backend.record(event("4"));
  await backend.close();
  expect(readFileSync(path, "utf8").trim().split("\n").map((line) => (JSON.parse(line) as AuditEvent).auditID)).toEqual(["1", "2", "3", "4"]);
});

test("events go to the webhook in batches, again when it fails, and are dropped when too many wait", async () => {
  const batches: string[][] = [];
  let failures = 1;
  const server = Bun.serve({
    port: 0, hostname: "127.0.0.1",
    async fetch(request) {
      const { items } = await request.json() as { items: AuditEvent[] };
      if (failures-- > 0) return new Response("no", { status: 500 });
      batches.push(items.map(({ auditID }) => auditID));
      return new Response();
    },
  });
  const metrics = createMetrics();
  const backend = webhookBackend({ target: { server: `http://127.0.0.1:${server.port}/` }, clock: systemClock, metrics, bufferSize: 5, batchSize: 3, batchWaitMs: 1 });
  for (let i = 0; i < 7; i++) backend.record(event(String(i)));
  await eventually(() => expect(batches.flat()).toEqual(["0", "1", "2", "3", "4"]));
  expect(batches[0]!.length).toBeLessThanOrEqual(3);
  expect(metrics.render()).toContain('apiserver_audit_error_total{plugin="webhook"} 2');
  await backend.close();
  await server.stop(true);
});
