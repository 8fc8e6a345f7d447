import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findClaim } from "../../src/storage/etcd/claim.ts";
import { EtcdClient } from "../../src/storage/etcd/etcd-client.ts";
import { TestEtcd } from "../support/etcd.ts";
import { eventually } from "../support/eventually.ts";
import { type KubeJson, kubectlFor } from "../support/kubectl.ts";
import { type Outcome, outcomeOf, output, type RunningProgram, startProgram } from "../support/running.ts";
import { skiffExecutable } from "../support/skiff.ts";

setDefaultTimeout(240_000);

/** The whole executable, a control plane without a node. */
const directory = mkdtempSync(join(tmpdir(), "skiff-e2e-restore-etcd-"));
const file = (name: string): string => join(directory, name);
const kubectl = kubectlFor({ wrap: (command) => [...command], kubeconfig: file("admin.yaml"), home: directory });
const backup = file("cluster.tar");
let etcd: TestEtcd, client: EtcdClient, server: RunningProgram | undefined, newest = 0;

beforeAll(async () => {
  writeFileSync(file("config.yaml"), "");
  etcd = await TestEtcd.start({ tls: true });
  client = new EtcdClient(etcd.clientOptions);
});
afterAll(async () => {
  await server?.stop("SIGKILL");
  client.close();
  await etcd[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

const onEtcd = (): string[] => ["--datastore-endpoint", etcd.urls.join(), "--datastore-cafile", join(etcd.directory, "ca.crt"), "--datastore-certfile", join(etcd.directory, "client.crt"), "--datastore-keyfile", join(etcd.directory, "client.key")];
const place = (data: string): string[] => ["--data-dir", file(data), "--config", file("config.yaml")];
const serverCommand = (data: string, ...flags: string[]): string[] => [skiffExecutable(), "server", ...place(data), "--disable-agent", "--https-listen-port", "0", "--write-kubeconfig", file("admin.yaml"), ...flags];
const restoreCommand = (data: string, from = backup, ...flags: string[]): string[] => [skiffExecutable(), "restore", from, ...place(data), ...onEtcd(), ...flags];
const restore = (...of: Parameters<typeof restoreCommand>): Promise<Outcome> => outcomeOf(restoreCommand(...of));

async function start(data: string, ...flags: string[]): Promise<void> {
  rmSync(file("admin.yaml"), { force: true });
  server = startProgram(serverCommand(data, ...flags));
  await server.until(/Skiff is up/);
  await eventually(() => kubectl("get", "--raw", "/readyz"), { interval: 100 });
}

async function stop(): Promise<void> {
  expect(await server!.stop("SIGTERM")).toBe(0);
  server = undefined;
}

const newestRevision = async (): Promise<number> => Number((JSON.parse(await kubectl("get", "--raw", "/api/v1/configmaps")) as KubeJson).metadata.resourceVersion);
const configMaps = async (): Promise<string[]> => (await kubectl.items("configmaps")).map(({ metadata }) => metadata.name as string).filter((name) => name !== "kube-root-ca.crt");

test("a backup of a cluster in a file goes into etcd, and the server goes on there with its keys; of two at once into a new directory one is refused", async () => {
  await start("first");
  await kubectl("create", "configmap", "kept");
  await output([skiffExecutable(), "backup", "--output", backup, ...place("first")]);
  const ca = readFileSync(file("first/server/tls/server-ca.crt"), "utf8");
  newest = await newestRevision();
  await stop();

  // Neither gets far before both have begun: etcd lets them wait.
  await etcd.signal(0, "SIGSTOP");
  const restores = [restore("second"), restore("second")];
  await Promise.race(restores);
  await etcd.signal(0, "SIGCONT");
  const [good, bad] = (await Promise.all(restores)).toSorted((a, b) => a.exitCode - b.exitCode);
  expect([good!.exitCode, good!.stdout]).toEqual([0, expect.stringMatching(/is in etcd at https:\S+, its keys and settings in .*second\./)]);
  expect([bad!.exitCode, bad!.stderr]).toEqual([1, `skiff: a backup is being restored into ${file("second")}: wait for that to end\n`]);
  expect(readdirSync(file("second"))).toEqual(["server"]);

  await start("second", ...onEtcd());
  expect(await configMaps()).toEqual(["kept"]);
  expect(await newestRevision()).toBeGreaterThan(newest);
  expect(readFileSync(file("second/server/tls/server-ca.crt"), "utf8")).toBe(ca);
  await kubectl("create", "configmap", "later");
  newest = await newestRevision();
});

test("what etcd holds is replaced by none while a server runs, nor without being asked for", async () => {
  const refusals: [Parameters<typeof restoreCommand>, string][] = [[["second", backup, "--force"], `a server runs with ${file("second")}: stop it first`], [["third"], "that etcd holds a cluster already: replace it with --force"], [["third", backup, "--force"], "a server is writing to that etcd: stop all servers first"]];
  for (const [how, sentence] of refusals) expect(await restore(...how)).toMatchObject({ exitCode: 1, stdout: "", stderr: expect.stringContaining(`skiff: ${sentence}`) });
  expect(await configMaps()).toEqual(["kept", "later"]);
  expect(existsSync(file("third/server"))).toBe(false);
  await stop();
});

test("killed amid it, it lets no server start; given again it ends, and what was there comes back from its backup", async () => {
  const claimed = async (): Promise<boolean> => (await findClaim(client)).claim?.moving === "restore";
  let refused = 0;
  for (let round = 0; round < 6; round++) {
    const child = Bun.spawn(restoreCommand("second", backup, "--force"), { stdin: "ignore", stdout: "ignore", stderr: "ignore" });
    if (refused === 0) await eventually(async () => expect(child.exitCode === 0 || await claimed()).toBe(true), { interval: 2 });
    // From here on nothing is to be looked at first: each dies a little later.
    else await Bun.sleep(60 * round);
    child.kill("SIGKILL");
    const ended = await child.exited === 0;
    if (ended && refused > 0) break;
    if (ended || !(await claimed())) continue;
    refused++;
    expect(await outcomeOf(serverCommand("second", ...onEtcd()))).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("a backup is being restored into this etcd, or that was broken off: give the `skiff restore` again, with --force") });
  }
  expect(refused).toBeGreaterThan(0);
  const { stdout, exitCode } = await restore("second", backup, "--force");
  expect([exitCode, stdout]).toEqual([0, expect.stringContaining("is in etcd at")]);
  await start("second", ...onEtcd());
  expect(await configMaps()).toEqual(["kept"]);
  expect(await newestRevision()).toBeGreaterThan(newest);
  newest = await newestRevision();
  await stop();

  const before = readdirSync(file("second/backups")).filter((name) => !name.startsWith(".")).sort()[0]!;
  expect((await restore("second", file(`second/backups/${before}`), "--force")).stdout).toMatch(/What etcd held, and this machine's keys, are in the backup \S+\.tar/);
  await start("second", ...onEtcd());
  expect(await configMaps()).toEqual(["kept", "later"]);
  expect(await newestRevision()).toBeGreaterThan(newest);
  await stop();
});
