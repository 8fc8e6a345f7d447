import { type Nftables, openNftables, Transaction } from "nftables-js";
import { podNumber, policiesOf } from "./node-policies-cluster.ts";
import { PolicyTable } from "../../agents/netpol/policy-table.ts";
import { enterNetworkNamespace } from "../support/network-namespace.ts";
import { type Measure, quantile, type Row, timed } from "./measure.ts";

const table = { family: "inet", name: "skiff-bench-policies" } as const;
const pods = 500, policies = 50;

/** NetworkPolicies for many pods: loading them all, one pod's change, and what a connection's first packet pays. */
export const measureNodePolicies: Measure = async ({ quick }) => {
  const leave = enterNetworkNamespace();
  const nft = openNftables();
  const wires = addPods();
  try {
    const rows: Row[] = [];
    const free = await connectTimes(wires, quick);
    const filled = fill();
    const load = await timed(() => nft.run(filled.takeChanges()));
    rows.push({ what: `NetworkPolicies, ${pods} pods and ${policies} policies: load`, values: [load], unit: "ms" });
    rows.push(await changes("one pod comes or goes", quick ? 50 : 300, filled, nft, (i) => filled.setPod("shop-1/late", i % 2 ? undefined : podNumber(1, 900))));
    rows.push(await changes("one pod's label changes", quick ? 50 : 300, filled, nft, (i) => filled.setPod("shop-2/3", { ...podNumber(2, 3), labels: { app: i % 2 ? "web" : "db", tier: "3" } })));
    rows.push(await changes("ten policies change at once", quick ? 20 : 100, filled, nft, (i) => filled.setPolicies(policiesOf(policies, 8000 + i))));
    const guarded = await connectTimes(wires, quick);
    rows.push({ what: "NetworkPolicies: connect to a pod, without and with", values: [quantile(free, 0.5) * 1000], unit: "µs", note: `with ${Math.round(quantile(guarded, 0.5) * 1000)} µs; p99 ${Math.round(quantile(free, 0.99) * 1000)} and ${Math.round(quantile(guarded, 0.99) * 1000)} µs` });
    return rows;
  } finally {
    await nft.run(new Transaction(table).addTable().deleteTable());
    nft.close();
    wires.dispose();
    leave();
  }
};

function fill(): PolicyTable {
  const filled = new PolicyTable(table);
  for (let i = 0; i < 10; i++) filled.setNamespace(`shop-${i}`, { "kubernetes.io/metadata.name": `shop-${i}`, team: i % 2 ? "a" : "b" });
  for (let i = 0; i < pods; i++) filled.setPod(`shop-${i % 10}/${i}`, podNumber(i % 10, i));
  filled.setPolicies(policiesOf(policies));
  return filled;
}

async function changes(what: string, times: number, filled: PolicyTable, nft: Nftables, change: (i: number) => void): Promise<Row> {
  const values: number[] = [];
  for (let i = 0; i < times; i++) {
    values.push(await timed(async () => {
      change(i);
      await nft.run(filled.takeChanges());
    }));
  }
  return { what: `NetworkPolicies: ${what}, to the kernel`, values: [quantile(values, 0.5)], unit: "ms", note: `p99 ${quantile(values, 0.99).toFixed(1)} ms` };
}

interface Wires {
  connect(times: number): number[];
  dispose(): void;
}

/** Two pods with the addresses of two of the five hundred, in namespaces of their own behind this one. */
function addPods(): Wires & { names: string[] } {
  const run = (command: string): void => {
    const { exitCode, stderr } = Bun.spawnSync(command.split(" "));
    if (exitCode !== 0) throw new Error(`${command}: ${stderr.toString()}`);
  };
  const names = [0, 10].map((pod) => `skiff-bench-${process.pid}-${pod}`), addresses = [0, 10].map((pod) => podNumber(0, pod).ips[0]!);
  Bun.spawnSync(["sh", "-c", "echo 1 > /proc/sys/net/ipv4/ip_forward"]);
  for (const [i, name] of names.entries()) {
    for (const command of [`ip netns add ${name}`, `ip link add bench${i} type veth peer name eth0 netns ${name}`, `ip addr add 10.42.255.1/32 dev bench${i}`, `ip link set bench${i} up`, `ip route add ${addresses[i]}/32 dev bench${i} src 10.42.255.1`,
      `ip -n ${name} addr add ${addresses[i]}/32 dev eth0`, `ip -n ${name} link set eth0 up`, `ip -n ${name} route add 10.42.255.1 dev eth0`, `ip -n ${name} route add default via 10.42.255.1`]) run(command);
  }
  const server = Bun.spawn(["ip", "netns", "exec", names[1]!, process.execPath, "-e", 'Bun.listen({ hostname: "0.0.0.0", port: 80, socket: { open(socket) { socket.end(); }, data() {} } }); setInterval(() => {}, 1e6)'], { stdio: ["ignore", "ignore", "inherit"] });
  return {
    names,
    connect(times) {
      const program = `const { connect } = require("node:net"); const times = []; let next = () => { const at = performance.now(); const socket = connect(80, "${addresses[1]}", () => { times.push(performance.now() - at); socket.destroy(); if (times.length < ${times}) next(); else console.log(JSON.stringify(times)); }); socket.on("error", () => setTimeout(next, 20)); }; next();`;
      return JSON.parse(Bun.spawnSync(["ip", "netns", "exec", names[0]!, process.execPath, "-e", program], { stderr: "inherit", timeout: 60_000 }).stdout.toString()) as number[];
    },
    dispose() {
      server.kill();
      for (const name of names) Bun.spawnSync(["ip", "netns", "del", name]);
    },
  };
}

const connectTimes = async (wires: Wires, quick: boolean): Promise<number[]> => wires.connect(quick ? 500 : 5000);
