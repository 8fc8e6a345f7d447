import { createProxyNode, inside, type Machine, nodeName, type ProxyNode, run } from "../support/proxy-node.ts";
import type { Service } from "../../src/apis/generated/core/v1.ts";
import type { EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import { kubeProxyRules } from "./kube-proxy-rules.ts";
import { type Measure, quantile, type Row, timed } from "./measure.ts";

/** Service 0 has a real endpoint; the others' are addresses that nobody has. */
const endpointsOf = (index: number, pod: Machine): string[] => (index === 0 ? [pod.ip] : Array.from({ length: 5 }, (_, i) => `10.${50 + i}.${(index >> 8) & 255}.${index & 255}`));
const clusterIpOf = (index: number): string => `10.43.${1 + (index >> 8)}.${index & 255}`;

const serviceOf = (index: number): Service => ({
  metadata: { namespace: "bench", name: `s${index}` }, spec: { type: "ClusterIP", clusterIP: clusterIpOf(index), clusterIPs: [clusterIpOf(index)], ipFamilies: ["IPv4"], ports: [{ port: 80, protocol: "TCP" }] }, status: { loadBalancer: {} },
});
const sliceOf = (index: number, addresses: readonly string[]): EndpointSlice => ({
  metadata: { namespace: "bench", name: `s${index}-1`, labels: { "kubernetes.io/service-name": `s${index}` } }, addressType: "IPv4", ports: [{ name: "", port: 8080, protocol: "TCP" }],
  endpoints: addresses.map((address) => ({ addresses: [address], nodeName: index === 0 ? nodeName : "n2", conditions: { ready: true } })),
});

/** Connects so often, one at a time, and prints how many microseconds each took: the cost of a flow's first packets. */
const connector = (address: string, times: number): string => `
  import { dlopen, FFIType, ptr } from "bun:ffi";
  const { i32, u32 } = FFIType;
  const libc = dlopen("libc.so.6", { socket: { args: [i32, i32, i32], returns: i32 }, connect: { args: [i32, FFIType.ptr, u32], returns: i32 }, setsockopt: { args: [i32, i32, i32, FFIType.ptr, u32], returns: i32 }, close: { args: [i32], returns: i32 } }).symbols;
  const to = new Uint8Array([2, 0, 0, 0, ${address.split(".").join(", ")}, 0, 0, 0, 0, 0, 0, 0, 0]), reset = new Int32Array([1, 0]);
  const times = [];
  for (let i = 0; i < ${times}; i++) {
    to[2] = ${address.startsWith("10.42.") ? "8080 >> 8" : 0}; to[3] = ${address.startsWith("10.42.") ? "8080 & 255" : 80};
    const fd = libc.socket(2, 1, 0);
    libc.setsockopt(fd, 1, 13, ptr(reset), 8);
    const start = Bun.nanoseconds();
    const failed = libc.connect(fd, ptr(to), 16);
    times.push((Bun.nanoseconds() - start) / 1000);
    libc.close(fd);
    if (failed) throw new Error("connecting failed");
    if (i % 50 === 49) await Bun.sleep(2);
  }
  console.log(JSON.stringify(times.slice(100)));`;

async function connects(from: Machine, address: string, times: number): Promise<number[]> {
  const child = Bun.spawn(inside(from, process.execPath, "-e", connector(address, times)), { stdout: "pipe", stderr: "inherit" });
  return JSON.parse(await new Response(child.stdout).text()) as number[];
}

/** Gbit/s of one connection. */
async function throughput(from: Machine, url: string, seconds: number): Promise<number> {
  const script = `let bytes = 0; const start = performance.now(), reader = (await fetch("${url}")).body.getReader();
    for (;;) { const { value, done } = await reader.read(); if (done || performance.now() - start > ${seconds * 1000}) break; bytes += value.length; }
    console.log(bytes * 8 / (performance.now() - start) / 1e6); process.exit();`;
  const child = Bun.spawn(inside(from, process.execPath, "-e", script), { stdout: "pipe", stderr: "inherit" });
  return Number(await new Response(child.stdout).text());
}

/** Ten megabytes at a time, until the client has enough. */
const source = `const part = new Uint8Array(10_000_000); Bun.serve({ port: 8090, hostname: "::", idleTimeout: 60, fetch: () => new Response(new ReadableStream({ pull(controller) { controller.enqueue(part); } })) }); console.log("up");`;

/** What Services cost on a node: the start with so many, a change, a flow's first packets and its throughput, beside chains like kube-proxy's. */
export const measureServices: Measure = async ({ quick }) => {
  const rows: Row[] = [], sizes = quick ? [10, 1000] : [10, 1000, 10_000], times = quick ? 600 : 3000;
  for (const size of sizes) {
    const lab = await createProxyNode({ clusterCidrs: ["10.42.0.0/16"], serviceCidrs: ["10.43.0.0/16"], clusterDns: ["10.43.0.10"] });
    const [target, client] = lab.pods as [Machine, Machine];
    const sending = Bun.spawn(inside(target, process.execPath, "-e", source), { stdout: "pipe" });
    try {
      for await (const line of sending.stdout) if (line.length) break;
      if (size === sizes[0]) rows.push(connectRow("connect, pod to pod, no Service", await connects(client, target.ip, times)));
      rows.push(...await measureOurs(lab, target, client, size, times));
      rows.push({ what: `throughput by a Service, ${size} Services`, values: [await throughput(client, `http://${clusterIpOf(size)}:81/`, quick ? 1 : 3)], unit: "Gbit/s" });
      if (size <= 1000) rows.push(...await measureChains(lab, target, client, size, times));
    } finally {
      sending.kill();
      await lab.dispose();
    }
  }
  return rows;
};

const connectRow = (what: string, values: number[]): Row => ({ what, values, unit: "µs", note: `p99 ${quantile(values, 0.99).toFixed(0)} µs` });

async function measureOurs(lab: ProxyNode, target: Machine, client: Machine, size: number, times: number): Promise<Row[]> {
  const all = Array.from({ length: size }, (_, index) => index);
  const bulk: Service = { ...serviceOf(size), spec: { ...serviceOf(size).spec, ports: [{ port: 81, protocol: "TCP" }] } }, bulkSlice = { ...sliceOf(size, [target.ip]), ports: [{ name: "", port: 8090, protocol: "TCP" as const }] };
  await lab.apply(...all.map(serviceOf), ...all.map((index) => sliceOf(index, endpointsOf(index, target))), bulk, bulkSlice);
  const start = await timed(() => lab.restart());
  const changes: number[] = [];
  for (let i = 0; i < 30; i++) {
    // A change that follows another at once waits for it; these come one at a time.
    await Bun.sleep(120);
    changes.push(await timed(() => lab.apply(sliceOf(1, endpointsOf(2 + (i % 2), target)))));
  }
  return [
    { what: `start with ${size} Services of 5 endpoints`, values: [start], unit: "ms" }, { what: `endpoint change to rule, ${size} Services`, values: changes, unit: "ms" },
    connectRow(`connect by a Service, ${size} Services`, await connects(client, clusterIpOf(0), times)),
  ];
}

async function measureChains(lab: ProxyNode, target: Machine, client: Machine, size: number, times: number): Promise<Row[]> {
  await lab.stop();
  run("nft", "delete", "table", "ip", "skiff-test");
  const services = Array.from({ length: size }, (_, index) => ({ name: `s${index}`, ip: clusterIpOf(index), endpoints: endpointsOf(index, target) }));
  const load = async (text: string): Promise<void> => {
    const child = Bun.spawn(["nft", "-f", "-"], { stdin: Buffer.from(text), stderr: "inherit" });
    if (await child.exited !== 0) throw new Error("nft refused the chains");
  };
  const whole = kubeProxyRules(services);
  return [
    { what: `chains like kube-proxy's: load ${size} Services`, values: [await timed(() => load(whole))], unit: "ms" },
    connectRow(`chains like kube-proxy's: connect, ${size} Services`, await connects(client, clusterIpOf(0), times)),
  ];
}
