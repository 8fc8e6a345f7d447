import { afterAll, beforeAll, expect, test } from "bun:test";
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { dirname, join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { listSnapshots } from "../../src/server/datastore/snapshots.ts";
import { TestSkiff } from "../support/skiff.ts";

const skiff = new TestSkiff({ flags: ["--disable-agent"] });
const { kubectl, layout } = skiff;
const snapshots = join(dirname(layout.databaseFile), "snapshots");

beforeAll(() => skiff.start({ node: false }));
afterAll(() => skiff.dispose());

test("a damaged database is replaced by its snapshot, and who looks is told of it", async () => {
  await kubectl("create", "configmap", "kept", "--from-literal=a=b");
  // The rotation of the key leaves a snapshot, as time would.
  expect(await skiff.command("secrets-encrypt", "enable", "--data-dir", layout.dataDir)).toMatchObject({ exitCode: 0 });
  await eventually(() => expect(listSnapshots(snapshots).length).toBeGreaterThan(0));
  await kubectl("create", "configmap", "lost", "--from-literal=a=b");
  const { metadata: { resourceVersion } } = await kubectl.get<{ metadata: { resourceVersion: string } }>("configmap", "lost");
  await skiff.stop();
  const file = openSync(layout.databaseFile, "r+");
  const size = statSync(layout.databaseFile).size;
  for (let offset = 1024; offset < size; offset += 4096) writeSync(file, new Uint8Array(64).fill(0xa5), 0, 64, offset + 300);
  closeSync(file);
  const damaged = readFileSync(layout.databaseFile);

  await skiff.start({ node: false });
  expect(await kubectl("get", "configmaps", "-o", "name")).toContain("configmap/kept");
  expect(await kubectl("get", "configmaps", "-o", "name")).not.toContain("configmap/lost");
  await kubectl("create", "configmap", "new", "--from-literal=a=b");
  expect(Number((await kubectl.get<{ metadata: { resourceVersion: string } }>("configmap", "new")).metadata.resourceVersion)).toBeGreaterThan(Number(resourceVersion));
  const told = /replaced by its snapshot of \S+ \(resourceVersion \d+\): what was written after that is lost\. The damaged files are kept in (\S+)/;
  await eventually(async () => expect(await kubectl("get", "events", "-n", "kube-system", "--field-selector=reason=DatabaseRestored")).toMatch(told));
  const [, aside] = await eventually(() => told.exec(skiff.log()) ?? Promise.reject(new Error(skiff.log())));
  const status = async (): Promise<string> => (await skiff.command("status", "--data-dir", layout.dataDir)).stdout;
  expect(await status()).toMatch(/^Recovery {5}the database was damaged, and has been replaced at \S+Z by its state of \S+Z \(resourceVersion \d+\); this is told until (\S+) is deleted$/m);
  expect(readFileSync(join(aside!.replace(/"$/, ""), "state.db")).equals(damaged)).toBe(true);
});

test("a snapshot that is listed can be gone back to", async () => {
  await kubectl("create", "configmap", "unwanted", "--from-literal=a=b");
  await skiff.stop();
  const own = ["--data-dir", layout.dataDir, "--config", join(skiff.directory, "config.yaml")];
  const { stdout } = await skiff.command("restore", "--list", ...own);
  const [, revision] = /SNAPSHOT\n\d{4}-\d\d-\d\dT\S+Z +\S+ kB +(\d+) +\//.exec(stdout) ?? [];
  expect(await skiff.command("restore", "--snapshot", revision ?? stdout, ...own)).toMatchObject({ exitCode: 0, stdout: expect.stringContaining(`is back (revision ${revision})`) });
  await skiff.start({ node: false });
  const names = await kubectl("get", "configmaps", "-o", "name");
  expect([names.includes("configmap/kept"), names.includes("configmap/unwanted")]).toEqual([true, false]);
});

test("without a snapshot the server refuses, says what to do, and touches nothing", async () => {
  await skiff.stop();
  rmSync(snapshots, { recursive: true });
  const file = openSync(layout.databaseFile, "r+");
  writeSync(file, new Uint8Array(100), 0, 100, 0);
  closeSync(file);
  const before = readFileSync(layout.databaseFile);
  const { exitCode, stderr } = await skiff.command(...skiff.serverCommand().slice(1));
  expect(exitCode).toBe(1);
  expect(stderr).toContain("restore a backup");
  expect(readFileSync(layout.databaseFile).equals(before)).toBe(true);
  expect(existsSync(snapshots) && listSnapshots(snapshots).length > 0).toBe(false);
});
