import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startContainerd, type TestContainerd } from "../support/containerd.ts";
import { eventually } from "../support/eventually.ts";
import { startImageRegistry, type TestImageRegistry } from "../support/image-registry.ts";
import { busyboxImage } from "../support/images.ts";

setDefaultTimeout(60_000);

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

const pull = (image: string) => containerd.runtime.images.pullImage({ image: { image } }, { timeoutMs: 20_000 });
const folder = (): string => join(containerd.directory, "containerd");
function say(yaml: string): void {
  mkdirSync(folder(), { recursive: true });
  writeFileSync(join(folder(), "registries.yaml"), yaml);
}

test("a mirror is asked in place of a registry, as soon as the file says so", async () => {
  say(`mirrors: {registry.invalid: {endpoint: ["http://${registry.host}"]}}`);
  await eventually(async () => void await pull("registry.invalid/some/thing:1"), { timeout: 20_000, interval: 200 });
});

test("all images below another name", async () => {
  registry.asked.length = 0;
  say(`mirrors: {registry.invalid: {endpoint: ["http://${registry.host}"], rewrite: {"^(.*)$": "cache/$1"}}}`);
  await eventually(async () => {
    await pull("registry.invalid/other/thing:1");
    expect(registry.asked).toContain("cache/other/thing");
  }, { timeout: 20_000, interval: 200 });
});

test("credentials count as soon as the file has them; containerd starts anew for them", async () => {
  await expect(pull(`${registry.host}/private/thing:1`)).rejects.toThrow("401");
  say(`configs: {"${registry.host}": {auth: {username: robot, password: secret}}}`);
  await eventually(async () => void await pull(`${registry.host}/private/thing:1`), { timeout: 20_000, interval: 200 });
  expect(readFileSync(join(folder(), "config.toml"), "utf8")).toContain('username = "robot"');
});
