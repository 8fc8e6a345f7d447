// `npm run bench:node`: what a node costs, and what it costs its server, as a table. `--quick` for a rough look, `--only wire,dns` for some.
import type { Measure } from "./measure.ts";
import { measureNodeDns } from "./node-dns.ts";
import { measureNodeNetwork } from "./node-network.ts";
import { measureNodePods } from "./node-pods.ts";
import { measureNodePolicies } from "./node-policies.ts";
import { measureServices } from "./node-services.ts";
import { measureNodeWire } from "./node-wire.ts";
import { printTable } from "./table.ts";

const measures: Record<string, Measure> = { pods: measureNodePods, wire: measureNodeWire, network: measureNodeNetwork, services: measureServices, policies: measureNodePolicies, dns: measureNodeDns };

const quick = process.argv.includes("--quick");
const only = process.argv.includes("--only") ? process.argv[process.argv.indexOf("--only") + 1]!.split(",") : Object.keys(measures);
const rows = [];
for (const name of only) {
  const measure = measures[name];
  if (!measure) throw new Error(`there is no measurement called ${name}: choose from ${Object.keys(measures).join(", ")}`);
  process.stderr.write(`measuring ${name}…\n`);
  rows.push(...await measure({ quick, get network(): never { throw new Error("measurements of nodes make networks of their own"); } }));
}
process.stdout.write(printTable(rows));
