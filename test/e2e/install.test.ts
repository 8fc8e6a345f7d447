import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { createHash } from "node:crypto";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hostTarget } from "../../src/build/host-target.ts";
import { layoutOf } from "../../src/server/layout.ts";
import { commandLine } from "../support/command-line.ts";
import { eventually } from "../support/eventually.ts";
import { busyboxImage } from "../support/images.ts";
import { kubectlFor } from "../support/kubectl.ts";
import { removeLeftovers } from "../support/leftovers.ts";
import { startCluster, type TestCluster } from "../support/node/cluster.ts";
import type { TestNode } from "../support/node/test-node.ts";
import { createNodeNetwork } from "../support/node-network.ts";
import { outcomeOf, output, type Outcome } from "../support/running.ts";
import { skiffExecutable } from "../support/skiff.ts";
import { deployment, service, shell } from "../support/workloads.ts";

setDefaultTimeout(360_000);
// The script as a user runs it, where there is no init system; all of its directories are ours.
const directory = mkdtempSync(join(tmpdir(), "skiff-install-"));
const network = createNodeNetwork();
const dataDir = join(directory, "data"), bin = join(directory, "bin"), config = join(directory, "etc");
const layout = layoutOf(dataDir);
const logFile = `/var/log/${layout.instance}.log`;
const script = join(import.meta.dir, "../../install.sh");
const kubectl = kubectlFor({ wrap: network.inside, kubeconfig: join(config, "skiff.yaml"), home: directory });

// A disk of its own, as it often is beside an SD card.
mkdirSync(dataDir);
await output(["mount", "--bind", dataDir, dataDir]);

afterAll(() => {
  removeLeftovers(layout.instance, [directory, layout.runDir]);
  network.dispose();
  for (const path of [directory, layout.runDir, logFile]) rmSync(path, { recursive: true, force: true });
});

const install = (env: Record<string, string> = {}): Promise<Outcome> => outcomeOf(network.inside(["sh", script]), {
  timeoutMs: 160_000,
  env: {
    INSTALL_SKIFF_BINARY: skiffExecutable(), INSTALL_SKIFF_BIN_DIR: bin, INSTALL_SKIFF_CONFIG_DIR: config, INSTALL_SKIFF_SYSTEMD_DIR: join(directory, "systemd"),
    SKIFF_DATA_DIR: dataDir, SKIFF_NODE_NAME: "edge", SKIFF_POD_LOG_DIR: join(directory, "pod-logs"), ...env,
  },
});
const supervisor = (): string => readFileSync(join(layout.runDir, "supervise.pid"), "utf8").trim();
const server = (): string => readFileSync(join(layout.runDir, "skiff.pid"), "utf8").trim();

test("refuses what can't work, in a sentence", async () => {
  for (const [env, message] of [
    [{ INSTALL_SKIFF_BINARY: "/nowhere/skiff" }, "/nowhere/skiff, which does not exist"],
    [{ INSTALL_SKIFF_EXEC: "sing" }, "must begin with server or agent"],
    [{ SKIFF_URL: "https://192.0.2.1:6443" }, "an agent needs SKIFF_URL and SKIFF_TOKEN"],
  ] as const) {
    const { exitCode, stderr } = await install(env);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
  }
  expect(existsSync(layout.runDir)).toBe(false);
});

test("installs and starts, and is done when the node is Ready", async () => {
  const { exitCode, stdout, stderr } = await install();
  expect({ exitCode, stderr: exitCode === 0 ? "" : stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toContain("Skiff is ready");
  expect(await kubectl("get", "nodes", "--no-headers")).toMatch(/^edge +Ready +control-plane /);
  expect(readFileSync(join(config, "skiff.env"), "utf8")).toContain(`SKIFF_DATA_DIR=${dataDir}\n`);
});

test("executables that lie beside the installed one are handed to machines of other kinds", async () => {
  const built = join(directory, "dist");
  mkdirSync(built);
  const own = join(built, hostTarget), other = join(built, "skiff-linux-riscv");
  copyFileSync(skiffExecutable(), own);
  utimesSync(own, 2000, 2000);
  writeFileSync(join(built, "skiff-linux-stale"), "older");
  utimesSync(join(built, "skiff-linux-stale"), 1000, 1000);
  writeFileSync(other, "newer");
  expect((await install({ INSTALL_SKIFF_BINARY: own })).exitCode).toBe(0);
  const handed = readdirSync(layout.staticDir);
  expect(handed).toContain("skiff-linux-riscv");
  expect(handed).not.toContain("skiff-linux-stale");
  expect(statSync(layout.staticDir).mode & 0o777).toBe(0o700);
});

test("a second run changes nothing; a new setting restarts the server and no pod", async () => {
  writeFileSync(join(dataDir, "agent/images/busybox.tar"), await busyboxImage());
  await kubectl.apply(deployment("web", 2, shell("sleep 1000")), service("web"));
  await kubectl("rollout", "status", "deployment/web", "--timeout=90s");
  const containers = (): Promise<string> => kubectl("get", "pods", "--sort-by=.metadata.name", "-o", "jsonpath={.items[*].status.containerStatuses[*].containerID}");
  const before = { containers: await containers(), server: server(), supervisor: supervisor() };

  expect((await install()).stdout).toContain("nothing has changed");
  expect({ containers: await containers(), server: server(), supervisor: supervisor() }).toEqual(before);

  writeFileSync(join(config, "config.yaml"), "log-level: debug\n");
  expect((await install()).stdout).toContain("Restarting Skiff; pods keep running");
  expect(server()).not.toBe(before.server);
  expect(await containers()).toBe(before.containers);
});

test("the supervisor starts a killed server again", async () => {
  const killed = server();
  process.kill(Number(killed), "SIGKILL");
  await eventually(async () => {
    if (server() === killed) throw new Error("the server has not been started again");
    await kubectl("get", "--raw", "/readyz");
  }, { timeout: 60_000 });
});

test("uninstalling leaves nothing, but for the place where a disk is mounted", async () => {
  expect(await outcomeOf(network.inside(["sh", join(bin, "skiff-uninstall.sh")]), { timeoutMs: 120_000 })).toMatchObject({ exitCode: 0, stdout: "Skiff has been removed.\n", stderr: "" });
  await output(["umount", dataDir]);
  for (const path of [bin, config, dataDir, layout.runDir, logFile]) expect([path, existsSync(path) ? readdirSync(path) : []]).toEqual([path, []]);
  const commands = readdirSync("/proc").filter((name) => /^\d+$/.test(name)).map((pid) => ({ pid, line: commandLine(pid).join(" ") })).filter(({ line }) => line.includes(dataDir) || line.includes(layout.runDir) || line.includes(join(bin, "skiff")));
  expect(commands).toEqual([]);
  expect(readFileSync("/proc/self/mounts", "utf8")).not.toContain(directory);
  expect((await outcomeOf(["find", "/sys/fs/cgroup", "-type", "d", "-name", layout.instance])).stdout).toBe("");
  expect((await outcomeOf(network.inside(["nft", "list", "tables"]))).stdout).toBe("");
  expect((await outcomeOf(network.inside(["ip", "-o", "link"]))).stdout.split("\n").filter((line) => /veth|skiff/.test(line.split(":")[1] ?? ""))).toEqual([]);
});

describe("an agent, or one more server, with all that it needs from the first", () => {
  let cluster: TestCluster;
  let machine: TestNode;
  beforeAll(async () => {
    cluster = await startCluster({ server: { flags: ["--cluster-init"] } });
    machine = await cluster.fabric.node("gate");
  });
  afterAll(() => cluster.dispose());

  const url = (): string => `https://${cluster.server.node.ip}:6443`;
  const token = (): string => readFileSync(join(cluster.server.node.layout.dataDir, "server/token"), "utf8").trim();
  const on = (name: string): string => join(machine.disk, name);
  /** As the README says it, with directories of the machine's own. */
  const installOn = ({ node, role = "" }: { node: TestNode; role?: string }, env: Record<string, string> = {}): Promise<Outcome> => node.exec(["sh", "-c", `curl -sfk ${url()}/v1-skiff/install.sh | sh -s - ${role}`], {
    timeoutMs: 160_000,
    env: {
      SKIFF_URL: url(), SKIFF_TOKEN: token(), INSTALL_SKIFF_BIN_DIR: join(node.disk, "bin"), INSTALL_SKIFF_CONFIG_DIR: join(node.disk, "config"), INSTALL_SKIFF_SYSTEMD_DIR: join(node.disk, "systemd"),
      SKIFF_DATA_DIR: node.layout.dataDir, SKIFF_POD_LOG_DIR: join(node.disk, "pod-logs"), ...env,
    },
  });
  const installAgent = (env: Record<string, string> = {}): Promise<Outcome> => installOn({ node: machine }, env);

  test("takes nothing from a server whose CA the token does not name", async () => {
    const { exitCode, stderr } = await installAgent({ SKIFF_TOKEN: token().replace(/^K10.{64}/, `K10${"ab".repeat(32)}`) });
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/has the CA [0-9a-f]{64}, and SKIFF_TOKEN is for the one with (ab){32}/);
    expect(existsSync(on("bin/skiff"))).toBe(false);
  });

  test("is a node when the script has ended, of the server's own executable", async () => {
    const { exitCode, stdout, stderr } = await installAgent();
    expect({ exitCode, stderr: exitCode === 0 ? "" : stderr + stdout }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/Node +gate +Ready/);
    expect(readFileSync(on("bin/skiff")).equals(readFileSync(skiffExecutable()))).toBe(true);
    expect(await cluster.kubectl("get", "node", "gate", "--no-headers")).toMatch(/^gate +Ready/);
  });

  test("a second run changes nothing; its status is told on the machine itself", async () => {
    expect((await installAgent()).stdout).toContain("nothing has changed");
    // What was said the first time is remembered: an agent doesn't become a server for want of a variable.
    expect((await installAgent({ SKIFF_URL: "", SKIFF_TOKEN: "" })).stdout).toContain("nothing has changed");
    expect((await machine.exec([on("bin/skiff"), "status", "--data-dir", machine.layout.dataDir])).stdout).toContain("Ready");
  });

  test("a new setting restarts it, also where the first process buries nobody and the supervisor stays as a zombie", async () => {
    const supervisor = (): Promise<string> => machine.run(["cat", join(machine.layout.runDir, "supervise.pid")]);
    const before = await supervisor();
    writeFileSync(on("config/config.yaml"), "log-level: debug\n");
    const { exitCode, stdout, stderr } = await installAgent();
    expect({ exitCode, stderr: exitCode === 0 ? "" : stderr + stdout }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toContain("Restarting Skiff; pods keep running");
    expect(await supervisor()).not.toBe(before);
    // Not to be taken for one that runs.
    await machine.run(["kill", "-9", (await supervisor()).trim(), (await machine.run(["cat", join(machine.layout.runDir, "skiff.pid")])).trim()]);
    await eventually(async () => expect(await machine.run(["cat", `/proc/${(await supervisor()).trim()}/status`])).toContain("Z (zombie)"));
    expect((await installAgent()).stdout).toContain("Starting Skiff");
  });

  test("checksums are those of what is handed out, for other kinds of machine too", async () => {
    const directory = cluster.server.node.layout.staticDir;
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, "skiff-linux-arm64"), "of another kind");
    const get = (path: string): Promise<string> => machine.run(["curl", "-sfk", `${url()}/v1-skiff/binaries/${path}`]);
    const sums = await get("sha256sums.txt");
    expect(sums).toContain(`${createHash("sha256").update("of another kind").digest("hex")}  skiff-linux-arm64\n`);
    expect(sums).toContain(`${createHash("sha256").update(readFileSync(skiffExecutable())).digest("hex")}  ${hostTarget}\n`);
    for (const name of ["skiff-linux-arm64", "arm64"]) expect(await get(name)).toBe("of another kind");
    expect((await machine.exec(["curl", "-sfk", `${url()}/v1-skiff/binaries/../../server/token`])).exitCode).not.toBe(0);
  });

  test("uninstalling leaves nothing of it on the machine", async () => {
    expect((await machine.run(["sh", on("bin/skiff-uninstall.sh")], { timeoutMs: 120_000 }))).toBe("Skiff has been removed.\n");
    for (const path of [on("bin/skiff"), on("config"), machine.layout.dataDir]) expect([path, existsSync(path)]).toEqual([path, false]);
    expect(await machine.run(["nft", "list", "tables"])).toBe("");
    expect(await machine.run(["sh", "-c", "ip -o link | grep -c 'veth\\|skiff' || true"])).toBe("0\n");
    expect(await machine.run(["ip", "route", "show", "root", "10.42.0.0/16"])).toBe("");
  });

  test("one more server comes by the same line, and stays one when the script runs without the variables; its etcd ends with it though it was killed", async () => {
    const node = await cluster.fabric.node("second"), there = (name: string): string => join(node.disk, name);
    const { exitCode, stdout, stderr } = await installOn({ node, role: "server" });
    expect({ exitCode, stderr: exitCode === 0 ? "" : stderr + stdout }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toContain("Skiff is ready");
    expect(await cluster.kubectl("get", "node", "second", "--no-headers")).toMatch(/^second +Ready +control-plane /);
    expect((await installOn({ node }, { SKIFF_URL: "", SKIFF_TOKEN: "" })).stdout).toContain("nothing has changed");
    // The token that it came by, which it is started with, is no longer the cluster's.
    const second = (...args: string[]): Promise<string> => node.run([there("bin/skiff"), ...args, "--data-dir", node.layout.dataDir], { timeoutMs: 120_000 });
    const rotated = await cluster.server.node.run([skiffExecutable(), "token", "rotate", "--data-dir", cluster.server.node.layout.dataDir]);
    await eventually(async () => expect(await second("token")).toBe(rotated));
    const before = (await node.run(["cat", join(node.layout.runDir, "skiff.pid")])).trim();
    await node.run(["kill", "-9", before]);
    await eventually(async () => expect((await node.run(["cat", join(node.layout.runDir, "skiff.pid")])).trim()).not.toBe(before));
    expect(await second("status", "--wait", "90")).toMatch(/Node +second +Ready/);

    const etcd = (await node.run(["cat", join(node.layout.dataDir, "server/db/etcd.pid")])).trim();
    for (const pid of ["supervise.pid", "skiff.pid"]) await node.run(["kill", "-9", (await node.run(["cat", join(node.layout.runDir, pid)])).trim()]);
    expect(await node.run(["cat", `/proc/${etcd}/comm`])).toBe("etcd\n");
    expect(await node.run(["sh", there("bin/skiff-uninstall.sh")], { timeoutMs: 120_000 })).toBe("Skiff has been removed.\n");
    // Gone, or dead where nobody buries it.
    expect((await node.exec(["cat", `/proc/${etcd}/cmdline`])).stdout).toBe("");
    for (const path of [there("bin/skiff"), there("config"), node.layout.dataDir]) expect([path, existsSync(path)]).toEqual([path, false]);
  });
});
