import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { zstdCompressSync, gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import { nodeArchitecture } from "../../agents/containerd/pause.ts";
import type { RuntimeEvent } from "../../agents/cri/cri.ts";
import { GrpcCode, GrpcError } from "../../src/base/grpc/error.ts";
import { NamespaceMode } from "../../agents/cri/generated/messages.ts";
import { readProcesses } from "../../agents/containerd/lost-shims.ts";
import { startContainerd, type TestContainerd } from "../support/containerd.ts";
import { eventually } from "../support/eventually.ts";
import { busyboxImage, busyboxReference } from "../support/images.ts";
import { removeLeftovers } from "../support/leftovers.ts";

let node: TestContainerd;
beforeAll(async () => {
  node = await startContainerd();
});
afterAll(async () => {
  await node?.dispose();
  removeLeftovers("skiff-test", node ? [node.directory] : []);
});

const hostNetworkPod = (name: string) => ({
  metadata: { name, namespace: "default", uid: name, attempt: 0 },
  linux: { cgroupParent: "/skiff-test/cri", securityContext: { namespaceOptions: { network: NamespaceMode.NODE } } },
});

test("version and status", async () => {
  expect((await node.runtime.runtime.version({})).runtimeName).toBe("containerd");
  const { status } = await node.runtime.runtime.status({});
  expect(status?.conditions?.find((c) => c.type === "RuntimeReady")?.status).toBe(true);
});

test("errors carry the gRPC code and the runtime's words", async () => {
  const error = await node.runtime.runtime.containerStatus({ containerId: "nope" }).catch((e: unknown) => e);
  expect(error).toBeInstanceOf(GrpcError);
  expect((error as GrpcError).code).toBe(GrpcCode.NotFound);
  expect((error as GrpcError).message).toContain("nope");
});

test("archives of the image directory are imported, compressed or not", async () => {
  const images = join(node.directory, "images");
  mkdirSync(images, { recursive: true });
  const write = async (file: string, reference: string, compress: (tar: Uint8Array) => Uint8Array) => writeFileSync(join(images, file), compress(await busyboxImage(reference)));
  await write("plain.tar", busyboxReference, (tar) => tar);
  await write("zipped.tar.gz", "localhost/zipped:1", (tar) => gzipSync(tar));
  await write("zstd.tar.zst", "localhost/zstd:1", (tar) => zstdCompressSync(tar));
  writeFileSync(join(images, "broken.tar"), "not a tar");
  while (await node.importer.importAll() === "settling") await Bun.sleep(50);
  const { images: found = [] } = await node.runtime.images.listImages({});
  expect(found.flatMap((image) => image.repoTags ?? []).sort()).toContain(busyboxReference);
  expect(node.importer.references()).toContain("localhost/zipped:1");
  expect(node.importer.references()).toContain("localhost/zstd:1");
});

test("an archive as docker save writes it", async () => {
  const layer = await packTar([{ header: { name: "hello", size: 2, mode: 0o644, type: "file" }, body: "hi" }]);
  const config = JSON.stringify({ architecture: nodeArchitecture, os: "linux", config: {}, rootfs: { type: "layers", diff_ids: [`sha256:${new Bun.CryptoHasher("sha256").update(layer).digest("hex")}`] } });
  const manifest = JSON.stringify([{ Config: "config.json", RepoTags: ["localhost/saved:1"], Layers: ["layer.tar"] }]);
  const file = (name: string, body: string | Uint8Array) => ({ header: { name, size: Buffer.byteLength(body), mode: 0o644, type: "file" as const }, body });
  writeFileSync(join(node.directory, "images/saved.tar"), await packTar([file("layer.tar", layer), file("config.json", config), file("manifest.json", manifest)]));
  while (await node.importer.importAll() === "settling") await Bun.sleep(50);
  expect(node.importer.references()).toContain("localhost/saved:1");
  expect((await node.runtime.images.imageStatus({ image: { image: "localhost/saved:1" } })).image?.id).toMatch(/^sha256:/);
});

test("a container's life: events, exit code, exec", async () => {
  const seen: RuntimeEvent[] = [];
  const stop = new AbortController();
  const events = node.runtime.events((event) => seen.push(event), stop.signal).catch((error: unknown) => error);
  const config = hostNetworkPod("life");
  const { podSandboxId } = await node.runtime.runtime.runPodSandbox({ config });
  const { containerId } = await node.runtime.runtime.createContainer({
    podSandboxId, sandboxConfig: config,
    config: { metadata: { name: "main", attempt: 0 }, image: { image: busyboxReference }, command: ["sh", "-c", "trap 'exit 7' TERM; while :; do sleep 0.05; done"], linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.CONTAINER, network: NamespaceMode.NODE } } } },
  });
  await node.runtime.runtime.startContainer({ containerId });
  const exec = await node.runtime.runtime.execSync({ containerId, cmd: ["sh", "-c", "echo out; echo err >&2; exit 3"], timeout: 60 });
  expect(exec.exitCode).toBe(3);
  expect(Buffer.from(exec.stdout!).toString()).toBe("out\n");
  expect(Buffer.from(exec.stderr!).toString()).toBe("err\n");
  await node.runtime.runtime.stopContainer({ containerId, timeout: 60 });
  const { status } = await node.runtime.runtime.containerStatus({ containerId });
  expect(status?.exitCode).toBe(7);
  await eventually(() => {
    expect(seen.filter((e) => e.id === containerId).map((e) => e.type)).toContain("started");
    expect(seen.find((e) => e.id === containerId && e.type === "exited")?.exitCode).toBe(7);
  });
  stop.abort();
  await events;
});

test("pods survive containerd's death", async () => {
  const config = hostNetworkPod("survivor");
  const { podSandboxId } = await node.runtime.runtime.runPodSandbox({ config });
  const pid = Number(await Bun.file(join(node.directory, "containerd.pid")).text());
  process.kill(pid, "SIGKILL");
  const deadline = Date.now() + 60_000;
  let state: number | undefined;
  while (Date.now() < deadline) {
    try {
      const { status } = await node.runtime.runtime.podSandboxStatus({ podSandboxId });
      state = status?.state ?? 0;
      if (Number(await Bun.file(join(node.directory, "containerd.pid")).text()) !== pid) break;
    } catch {
      await Bun.sleep(50);
    }
  }
  expect(state).toBe(0); // SANDBOX_READY
});

test("a shim that containerd has lost is ended, and those of pods are not", async () => {
  const { podSandboxId } = await node.runtime.runtime.runPodSandbox({ config: hostNetworkPod("kept") });
  // As containerd starts one, before it tells it of a container.
  const bundle = join(node.directory, "bundle");
  mkdirSync(bundle);
  for (const [name, text] of [["config.json", JSON.stringify({ ociVersion: "1.0.2", annotations: {} })], ["log", ""]] as const) writeFileSync(join(bundle, name), text);
  const started = Bun.spawnSync(["containerd-shim-runc-v2", "-namespace", "k8s.io", "-id", "lost", "-address", node.containerd.socket, "start"], { cwd: bundle, env: { ...process.env, TTRPC_ADDRESS: `${node.containerd.socket}.ttrpc`, GOMAXPROCS: "2" } });
  expect(started.stderr.toString()).toBe("");
  const shims = (): string[] => readProcesses().filter(({ command }) => command.includes("-address") && command.includes(node.containerd.socket)).map(({ command }) => command[command.indexOf("-id") + 1]!);
  expect(shims()).toContain("lost");
  await node.containerd.endLostShims();
  expect(shims()).toContain("lost"); // It may be one that this containerd is about to use.

  const pid = Number(await Bun.file(join(node.directory, "containerd.pid")).text());
  process.kill(pid, "SIGKILL");
  await eventually(async () => {
    expect(Number(await Bun.file(join(node.directory, "containerd.pid")).text())).not.toBe(pid);
    await node.containerd.endLostShims();
    expect(shims()).not.toContain("lost");
  }, { timeout: 60_000, interval: 50 });
  expect(shims()).toContain(podSandboxId!);
});
