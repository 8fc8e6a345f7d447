import { join } from "node:path";
import { startCluster } from "../support/node/cluster.ts";
import type { TestNode } from "../support/node/test-node.ts";
import type { Measure, Row } from "./measure.ts";

/** What an agent on which nothing happens says and hears, as its network card counts it; and what a server pays for each connected agent. */
export const measureNodeWire: Measure = async ({ quick }) => [...await idleTraffic(quick), ...await agentMemory(quick)];

interface Traffic {
  received: number;
  sent: number;
  packets: number;
}

/** All that passed the card, Ethernet headers included. */
async function trafficOf(node: TestNode): Promise<Traffic> {
  const { stdout } = await node.exec(["cat", "/proc/net/dev"]);
  const fields = /^\s*eth0:\s*(.*)$/m.exec(stdout)![1]!.split(/\s+/).map(Number);
  return { received: fields[0]!, sent: fields[8]!, packets: fields[1]! + fields[9]! };
}

async function idleTraffic(quick: boolean): Promise<Row[]> {
  await using cluster = await startCluster({ agents: 1 });
  const { node } = cluster.member("agent-1");
  await Bun.sleep(quick ? 10_000 : 30_000);
  const seconds = quick ? 60 : 1200, before = await trafficOf(node);
  await Bun.sleep(seconds * 1000);
  const after = await trafficOf(node), hour = 3600 / seconds, note = `over ${seconds} s`;
  const received = (after.received - before.received) * hour / 1000, sent = (after.sent - before.sent) * hour / 1000;
  return [
    { what: "An idle agent, received in an hour", values: [received], unit: "kB", note },
    { what: "An idle agent, sent in an hour", values: [sent], unit: "kB", note },
    { what: "An idle agent, both in a day", values: [(received + sent) * 24 / 1000], unit: "MB", note },
    { what: "An idle agent, packets in an hour", values: [(after.packets - before.packets) * hour], unit: "", note },
  ];
}

/** A child serves; this process is all the agents. */
async function agentMemory(quick: boolean): Promise<Row[]> {
  const agents = quick ? 100 : 500;
  const child = Bun.spawn([process.execPath, "--smol", join(import.meta.dir, "node-wire-server.ts"), String(agents)], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  try {
    const { before, after, watches } = JSON.parse(await new Response(child.stdout).text()) as { before: number; after: number; watches: number };
    return [{ what: `Server memory for each connected agent with ${watches} watches`, values: [(after - before) / agents / 1000], unit: "kB", note: `RSS, ${agents} agents` }];
  } finally {
    child.kill();
    await child.exited;
  }
}
