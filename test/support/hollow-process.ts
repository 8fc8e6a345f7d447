import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { skiffExecutable, type TestSkiff } from "./skiff.ts";

/** `skiff hollow` beside a server, as a process of its own that outlives the server's. */
export interface HollowProcess {
  stop(): Promise<void>;
}

/** Resolves when all nodes are Ready. */
export async function startHollow(skiff: TestSkiff, nodes: number, ...flags: string[]): Promise<HollowProcess> {
  const log = openSync(join(skiff.directory, "hollow.log"), "a");
  const child = Bun.spawn(skiff.network.inside([skiffExecutable(), "hollow", "--nodes", String(nodes), "--kubeconfig", skiff.kubeconfig, ...flags]), { stdin: "ignore", stdout: log, stderr: log });
  closeSync(log);
  await eventually(async () => {
    const ready = (await skiff.kubectl.items("nodes")).filter(({ status }) => status.conditions?.some(({ type, status: is }: { type: string; status: string }) => type === "Ready" && is === "True"));
    if (ready.length !== nodes) throw new Error(`${ready.length} of ${nodes} hollow nodes are Ready`);
  }, { timeout: 60_000, interval: 100 });
  return {
    async stop() {
      child.kill("SIGTERM");
      await child.exited;
    },
  };
}
