import { expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/base/clock.ts";
import { logger } from "../../../src/base/log.ts";
import { createDevices } from "./devices.ts";

test("what stands where the sockets belong costs the plugins, not the node", async () => {
  const root = mkdtempSync(join(tmpdir(), "skiff-long-"));
  const stop = new AbortController(), said: string[] = [];
  const log = { ...logger("test"), error: (message: string) => void said.push(message) };
  for (const name of ["device-plugins", "pod-resources"]) writeFileSync(join(root, name), "no folder");
  try {
    const devices = createDevices({ rootDir: root, settings: [], pods: () => [], clock: systemClock, log: log as never, onCapacity: () => undefined, onHealth: () => undefined });
    await devices.run(stop.signal);
    expect(said.sort()).toEqual(["Device plugins can't register", "Nobody is told who has which device"]);
  } finally {
    stop.abort();
    rmSync(root, { recursive: true });
  }
});
