import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { type Kubectl, kubectlFor } from "../support/kubectl.ts";
import { createNodeNetwork } from "../support/node-network.ts";
import { outcomeOf, type RunningProgram, startProgram } from "../support/running.ts";

/*
 * The arm64 executable, instruction for instruction, under an emulator: what Bun compiled for ARM starts, keeps its data and serves.
 * Containers on ARM are the subject of `npm run test:arm64`.
 */

setDefaultTimeout(360_000);

const executable = join(import.meta.dir, "../../dist/skiff-linux-arm64");
const emulated = process.arch === "arm64" ? [executable] : ["qemu-aarch64-static", "-L", "/usr/aarch64-linux-gnu", executable];

const network = createNodeNetwork();
const directory = mkdtempSync(join(tmpdir(), "skiff-arm64-"));
const kubeconfig = join(directory, "admin.yaml");
const kubectl: Kubectl = kubectlFor({ wrap: network.inside, kubeconfig, home: directory });
let server: RunningProgram;

function start(): void {
  const config = join(directory, "config.yaml");
  if (!existsSync(config)) writeFileSync(config, "{}\n");
  server = startProgram(network.inside([...emulated, "server", "--disable-agent", "--config", config, "--data-dir", join(directory, "data"), "--write-kubeconfig", kubeconfig]));
}

const untilReady = (): Promise<unknown> => eventually(() => kubectl("get", "--raw", "/readyz"), { timeout: 160_000, interval: 200 });

beforeAll(async () => {
  if (!existsSync(executable)) throw new Error(`${executable} is missing: build it with "bun src/build/build.ts skiff-linux-arm64"`);
  start();
  await untilReady();
});

afterAll(async () => {
  await server?.stop("SIGKILL");
  network.dispose();
  rmSync(directory, { recursive: true, force: true });
});

test("is an executable for 64-bit ARM", () => {
  const header = readFileSync(executable).subarray(0, 20);
  expect(header.subarray(0, 5).toString("latin1")).toBe("\x7fELF\x02");
  expect(header.readUInt16LE(18)).toBe(183); // EM_AARCH64
});

test("serves kubectl: objects are written, listed and found again after kill -9", async () => {
  expect((await kubectl.items("namespaces")).map(({ metadata }) => metadata.name)).toEqual(expect.arrayContaining(["default", "kube-system"]));
  await kubectl("create", "deployment", "web", "--image=example.com/web", "--replicas=2");
  // Controllers work there too.
  await eventually(async () => expect(await kubectl.items("pods", "-l", "app=web")).toHaveLength(2), { timeout: 120_000, interval: 200 });
  const before = (await kubectl.items("pods", "-l", "app=web")).map(({ metadata }) => metadata.uid).toSorted();

  await server.stop("SIGKILL");
  start();
  await untilReady();
  expect((await kubectl.items("pods", "-l", "app=web")).map(({ metadata }) => metadata.uid).toSorted()).toEqual(before);
});

test("is a client as well", async () => {
  const { stdout, exitCode } = await outcomeOf(network.inside([...emulated, "kubectl", "--kubeconfig", kubeconfig, "get", "namespaces", "-o", "name"]), { timeoutMs: 160_000 });
  expect({ exitCode, names: stdout.trim().split("\n") }).toEqual({ exitCode: 0, names: expect.arrayContaining(["namespace/default"]) });
});
