import { afterAll, beforeAll, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TestEtcd } from "../support/etcd.ts";
import { eventually } from "../support/eventually.ts";
import { kubectlFor } from "../support/kubectl.ts";
import { outcomeOf, startProgram, type RunningProgram } from "../support/running.ts";
import { skiffExecutable } from "../support/skiff.ts";

/** The whole executable, a control plane without a node, on etcd. */
const directory = mkdtempSync(join(tmpdir(), "skiff-e2e-etcd-"));
const file = (name: string): string => join(directory, name);
const kubectl = kubectlFor({ wrap: (command) => [...command], kubeconfig: file("admin.yaml"), home: directory });
const place = ["--data-dir", file("data"), "--config", file("config.yaml")];
let etcd: TestEtcd, server: RunningProgram | undefined;

beforeAll(async () => {
  writeFileSync(file("config.yaml"), "");
  etcd = await TestEtcd.start({ members: 3, tls: true });
}, 120_000);
afterAll(async () => {
  await server?.stop("SIGKILL");
  await etcd[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const onEtcd = (ca = join(etcd.directory, "ca.crt")): string[] =>
  ["--datastore-endpoint", etcd.urls.join(), "--datastore-cafile", ca, "--datastore-certfile", join(etcd.directory, "client.crt"), "--datastore-keyfile", join(etcd.directory, "client.key")];
const command = (...flags: string[]): string[] => [skiffExecutable(), "server", ...place, "--disable-agent", "--https-listen-port", "0", "--write-kubeconfig", file("admin.yaml"), ...flags];

async function start(...flags: string[]): Promise<void> {
  rmSync(file("admin.yaml"), { force: true });
  server = startProgram(command(...flags));
  await server.until(/Skiff is up/);
  await eventually(() => kubectl("get", "--raw", "/readyz"), { timeout: 60_000, interval: 100 });
}

async function stop(): Promise<void> {
  expect(await server!.stop("SIGTERM")).toBe(0);
  server = undefined;
}

const revisionOf = async (name: string): Promise<number> => Number((await kubectl.get("configmap", name)).metadata.resourceVersion);

test("an etcd that can't be trusted is not used: one sentence, a non-zero exit", async () => {
  const { exitCode, stderr } = await outcomeOf(command(...onEtcd(join(etcd.directory, "client.crt"))), { timeoutMs: 60_000 });
  expect(exitCode).toBe(1);
  expect(stderr).toContain("is not signed by the authority in --datastore-cafile");
}, 120_000);

test("a cluster begins in a file, moves into etcd, goes on there when a member dies, and moves back; no resourceVersion goes back", async () => {
  await start();
  await kubectl("create", "configmap", "first");
  const inFile = await revisionOf("first");
  const running = await outcomeOf([skiffExecutable(), "datastore", "migrate", ...place, ...onEtcd()]);
  expect([running.exitCode, running.stderr]).toEqual([1, expect.stringContaining("stop it first")]);
  await stop();

  const unmoved = await outcomeOf(command(...onEtcd()), { timeoutMs: 60_000 });
  expect([unmoved.exitCode, unmoved.stderr]).toEqual([1, expect.stringContaining('move it with "skiff datastore migrate"')]);
  const moved = await outcomeOf([skiffExecutable(), "datastore", "migrate", ...place, ...onEtcd()]);
  expect([moved.exitCode, moved.stdout]).toEqual([0, expect.stringContaining("is in etcd")]);
  expect(existsSync(file("data/server/db/state.db"))).toBe(false);

  await start(...onEtcd());
  expect(await revisionOf("first")).toBeGreaterThan(inFile);
  await kubectl("create", "configmap", "second");
  await etcd.kill(0);
  await kubectl("create", "configmap", "third");
  const inEtcd = await revisionOf("third");
  expect((await kubectl.items("configmaps")).map(({ metadata }) => metadata.name)).toEqual(["first", "kube-root-ca.crt", "second", "third"]);
  await stop();

  const back = await outcomeOf([skiffExecutable(), "datastore", "migrate", "--to-file", ...place, ...onEtcd()]);
  expect([back.exitCode, back.stdout]).toEqual([0, expect.stringContaining("Start the server without --datastore-endpoint")]);
  await start();
  expect(await revisionOf("third")).toBe(inEtcd);
  await kubectl("create", "configmap", "fourth");
  expect(await revisionOf("fourth")).toBeGreaterThan(inEtcd);
  await stop();
}, 300_000);
