import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { processGroup } from "../../agents/ingress/host.ts";
import { statusSocket } from "../../agents/ingress/nginx-config.ts";
import { Nginx } from "../../agents/ingress/nginx.ts";
import { systemClock } from "../../src/base/clock.ts";
import { logger } from "../../src/base/log.ts";
import { commandLine } from "../support/command-line.ts";
import { eventually } from "../support/eventually.ts";

const directory = mkdtempSync(join(tmpdir(), "skiff-nginx-")), path = `/skiff-nginx-${process.pid}`;
const group = processGroup(path), stop = new AbortController();
afterAll(async () => {
  stop.abort();
  for (const pid of group.pids()) process.kill(pid, "SIGKILL");
  await eventually(() => expect(group.pids()).toEqual([]));
  for (const hierarchy of ["", "memory", "pids", "cpu"]) {
    try {
      rmdirSync(join("/sys/fs/cgroup", hierarchy, path));
    } catch {
      // There is no such hierarchy on this machine.
    }
  }
  rmSync(directory, { recursive: true, force: true });
});

const config = (generation: number): string =>
  `daemon off; user root; worker_processes 1; pid "${directory}/nginx.pid"; error_log stderr warn; events { worker_connections 64; } http { access_log off; server { listen unix:${statusSocket(directory)}; location / { return 200 "${generation}\\n"; } } }`;
const masters = (): number[] => group.pids().filter((pid) => commandLine(pid)[0]?.startsWith("nginx: master"));

test("a configuration that comes when nginx has just been killed is served, by one nginx, however often that happens", async () => {
  const nginx = new Nginx({ clock: systemClock, directory, group, log: logger("test") });
  await nginx.apply(config(1), 1, stop.signal);
  const running = nginx.run(stop.signal);
  for (let generation = 2; generation < 10; generation++) {
    process.kill(await eventually(() => masters()[0] ?? Promise.reject(new Error("nginx does not run"))), "SIGKILL");
    // One that ends amid it fails, and is tried again.
    await eventually(() => nginx.apply(config(generation), generation, stop.signal));
    await eventually(() => expect(masters()).toHaveLength(1));
  }
  stop.abort();
  await running;
});
