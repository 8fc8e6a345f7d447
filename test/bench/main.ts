// `npm run bench`: what the compiled executable costs on this machine, as a table. `--quick` for a rough look, `--only pods,requests` for some.
// Everything runs in a network namespace of its own: this program starts itself again inside.
import { createNodeNetwork, type NodeNetwork } from "../support/node-network.ts";
import { skiffExecutable } from "../support/skiff.ts";
import type { Measure } from "./measure.ts";
import { measureCustomResources } from "./custom-resources.ts";
import { measureDecisions } from "./decisions.ts";
import { measureIdle } from "./idle.ts";
import { measureMemory } from "./memory.ts";
import { measureObjects } from "./objects.ts";
import { measurePods } from "./pods.ts";
import { measureRequests } from "./requests.ts";
import { measureScale } from "./scale.ts";
import { measureStart } from "./start.ts";
import { printTable } from "./table.ts";
import { measureWatch } from "./watch.ts";

const measures: Record<string, Measure> = { start: measureStart, memory: measureMemory, idle: measureIdle, requests: measureRequests, watch: measureWatch, objects: measureObjects, definitions: measureCustomResources, pods: measurePods, decisions: measureDecisions, scale: measureScale };
const inside = "SKIFF_BENCH_NODE_IP";

if (process.env[inside]) await measureAll(process.env[inside]);
else await startInside();

async function startInside(): Promise<void> {
  skiffExecutable();
  const network = createNodeNetwork();
  try {
    const child = Bun.spawn(network.inside([process.execPath, import.meta.path, ...process.argv.slice(2)]), { stdio: ["ignore", "inherit", "inherit"], env: { ...process.env, [inside]: network.ip } });
    process.on("SIGINT", () => child.kill("SIGINT"));
    process.exitCode = await child.exited;
  } finally {
    network.dispose();
  }
}

async function measureAll(ip: string): Promise<void> {
  const here: NodeNetwork = { ip, outsideIp: "", inside: (command) => [...command], outside: () => { throw new Error("there is no world outside a benchmark"); }, dispose: () => undefined };
  const quick = process.argv.includes("--quick");
  const only = process.argv.includes("--only") ? process.argv[process.argv.indexOf("--only") + 1]!.split(",") : Object.keys(measures);
  const rows = [];
  for (const name of only) {
    const measure = measures[name];
    if (!measure) throw new Error(`there is no measurement called ${name}: choose from ${Object.keys(measures).join(", ")}`);
    process.stderr.write(`measuring ${name}…\n`);
    rows.push(...await measure({ network: here, quick }));
  }
  process.stdout.write(printTable(rows));
}
