import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pauseReference } from "../../agents/containerd/pause.ts";
import { defaultImageLimits, ImageCollector } from "../../agents/kubelet/images/image-gc.ts";
import { systemClock } from "../../src/base/clock.ts";
import { logger } from "../../src/base/log.ts";
import { createCa, createLeaf } from "../../src/server/pki/certificate.ts";
import { startContainerd, type TestContainerd } from "../support/containerd.ts";
import { eventually } from "../support/eventually.ts";
import { startImageRegistry, type TestImageRegistry } from "../support/image-registry.ts";
import { busyboxImage, busyboxReference } from "../support/images.ts";

setDefaultTimeout(180_000);

/** registries.yaml, as a real containerd does what it says. */
let containerd: TestContainerd, registry: TestImageRegistry;
beforeAll(async () => {
  containerd = await startContainerd();
  registry = await startImageRegistry(await busyboxImage(), { username: "robot", password: "secret" });
});
afterAll(async () => {
  registry[Symbol.dispose]();
  await containerd?.dispose();
});

const pull = (image: string) => containerd.runtime.images.pullImage({ image: { image } }, { timeoutMs: 60_000 });
const failureOf = (image: string) => pull(image).then(() => "it was pulled", ({ message }: Error) => message);
const folder = (): string => join(containerd.directory, "containerd");
function say(yaml: string): void {
  mkdirSync(folder(), { recursive: true });
  writeFileSync(join(folder(), "registries.yaml"), yaml);
}

test("a mirror is asked in place of a registry, as soon as the file says so", async () => {
  say(`mirrors: {registry.invalid: {endpoint: ["http://${registry.host}"]}}`);
  await eventually(async () => void await pull("registry.invalid/some/thing:1"), { timeout: 60_000, interval: 200 });
});

test("all images below another name", async () => {
  registry.asked.length = 0;
  say(`mirrors: {registry.invalid: {endpoint: ["http://${registry.host}"], rewrite: {"^(.*)$": "cache/$1"}}}`);
  await eventually(async () => {
    await pull("registry.invalid/other/thing:1");
    expect(registry.asked).toContain("cache/other/thing");
  }, { timeout: 60_000, interval: 200 });
});

test("credentials count as soon as the file has them; containerd starts anew for them", async () => {
  await expect(pull(`${registry.host}/private/thing:1`)).rejects.toThrow("401");
  say(`configs: {"${registry.host}": {auth: {username: robot, password: secret}}}`);
  await eventually(async () => void await pull(`${registry.host}/private/thing:1`), { timeout: 60_000, interval: 200 });
  expect(readFileSync(join(folder(), "config.toml"), "utf8")).toContain('username = "robot"');
});

test("a registry with a CA of its own, and one that is trusted blindly", async () => {
  const notAfter = new Date(Date.now() + 86_400_000);
  const ca = await createCa("shop", notAfter);
  // containerd takes 0.0.0.0, which is this machine too, for an address like any other.
  const leaf = await createLeaf({ issuer: ca, usage: "server", subject: { commonName: "registry" }, names: ["127.0.0.1", "0.0.0.0"], notAfter });
  const secured = await startImageRegistry(await busyboxImage(), { username: "robot", password: "secret", tls: { cert: leaf.certificate, key: leaf.key } });
  try {
    const [caFile, otherCaFile] = ["ca.crt", "other-ca.crt"].map((name) => join(containerd.directory, name)) as [string, string];
    writeFileSync(caFile, ca.certificate);
    writeFileSync(otherCaFile, (await createCa("other shop", notAfter)).certificate);
    for (const host of [secured.host, secured.host.replace("127.0.0.1", "0.0.0.0")]) {
      const saying = async (tls: string, check: () => Promise<unknown>) => {
        say(`configs: {"${host}": {tls: {${tls}}}}`);
        await eventually(check, { timeout: 60_000, interval: 200 });
      };
      await saying(`ca_file: ${otherCaFile}`, async () => expect(await failureOf(`${host}/own/thing:1`)).toContain("x509"));
      await saying(`ca_file: ${caFile}`, () => pull(`${host}/own/thing:1`));
      if (!host.startsWith("127.")) expect(await failureOf(`${host}/own/thing:2`)).toContain(`${host}/own/thing:2: not found`);
      await saying(`ca_file: ${otherCaFile}`, async () => expect(await failureOf(`${host}/own/thing:1`)).toContain("x509"));
      await saying("insecure_skip_verify: true", () => pull(`${host}/own/thing:1`));
    }
  } finally {
    secured[Symbol.dispose]();
  }
});

test("images that nothing needs go; those that were imported, and the one that holds pods together, stay", async () => {
  const names = async (): Promise<string[]> => ((await containerd.runtime.images.listImages({})).images ?? []).flatMap(({ repoTags = [] }) => repoTags).sort();
  await pull(`${registry.host}/some/thing:1`);
  const before = await names();
  const collector = new ImageCollector({
    runtime: containerd.runtime, recorder: { event: () => undefined }, clock: systemClock, log: logger("test"), nodeName: "node", limits: defaultImageLimits, pods: () => [], pinned: () => containerd.importer.references(),
  });
  await collector.collect();
  expect(await names()).toEqual(before);
  await collector.deleteUnused();
  expect(await names()).toEqual([pauseReference]);

  mkdirSync(join(containerd.directory, "images"), { recursive: true });
  writeFileSync(join(containerd.directory, "images/busybox.tar"), await busyboxImage());
  await eventually(async () => expect(await containerd.importer.importAll()).toBe("done"));
  await collector.deleteUnused();
  expect(await names()).toEqual([busyboxReference, pauseReference].sort());
});
