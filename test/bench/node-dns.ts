import { join } from "node:path";
import { type Measure, quantile, type Row } from "./measure.ts";

const underway = 32;

/** Queries of many clients on one node, over UDP: names of a thousand Services, names of elsewhere that are cached, and names that are asked for the first time. */
export const measureNodeDns: Measure = async ({ quick }) => {
  const child = Bun.spawn([process.execPath, "--smol", join(import.meta.dir, "node-dns-server.ts")], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const lines = readLines(child.stdout);
  const port = Number(await lines());
  const memory = async (): Promise<number> => {
    child.stdin.write("\n");
    await child.stdin.flush();
    return Number(await lines()) / 1024 / 1024;
  };
  const rows: Row[] = [];
  const run = async (what: string, count: number, name: (i: number) => string): Promise<void> => {
    const { perSecond, latencies, lost } = await ask(port, count, name);
    rows.push({ what: `${what}: queries a second`, values: [perSecond], unit: "/s", note: `${underway} under way, ${lost} lost` });
    rows.push({ what: `${what}: p50 / p99`, values: [quantile(latencies, 0.5) * 1000], unit: "µs", note: `p99 ${Math.round(quantile(latencies, 0.99) * 1000)} µs` });
  };
  try {
    const times = quick ? 20_000 : 200_000;
    await ask(port, 5000, (i) => `service-${i % 1000}.default.svc.cluster.local`);
    const before = await memory();
    await run("DNS, names of Services", times, (i) => `service-${i % 1000}.default.svc.cluster.local`);
    await run("DNS, names that aren't there", times, (i) => `www.example.org.service-${i % 1000}.svc.cluster.local`);
    await ask(port, 100, (i) => `host-${i}.example.org`);
    await run("DNS, names elsewhere, cached", times, (i) => `host-${i % 100}.example.org`);
    await run("DNS, names elsewhere, asked for once each", times / 10, (i) => `new-${i}.example.org`);
    rows.push({ what: "DNS, what all that added to the process", values: [(await memory()) - before], unit: "MiB" });
  } finally {
    child.kill();
  }
  return rows;
};

async function ask(port: number, count: number, name: (i: number) => string): Promise<{ perSecond: number; latencies: number[]; lost: number }> {
  const latencies: number[] = [], sentAt = new Float64Array(0x10000);
  const { promise: done, resolve } = Promise.withResolvers<void>();
  let sent = 0, answered = 0, lost = 0, lastAnswer = performance.now();
  const socket = await Bun.udpSocket({
    connect: { hostname: "127.0.0.1", port },
    socket: {
      data(_, bytes) {
        lastAnswer = performance.now();
        latencies.push(lastAnswer - sentAt[bytes[0]! * 256 + bytes[1]!]!);
        answered++;
        if (sent < count) next();
        else if (answered + lost >= count) resolve();
      },
    },
  });
  const next = (): void => {
    const id = sent & 0xffff;
    sentAt[id] = performance.now();
    socket.send(query(id, name(sent++)));
  };
  const begun = performance.now();
  for (let i = 0; i < underway; i++) next();
  // What is lost on the way is sent no more, and others take its place.
  const watch = setInterval(() => {
    if (performance.now() - lastAnswer < 500) return;
    lost = sent - answered;
    if (sent >= count) resolve();
    for (let i = 0; i < underway && sent < count; i++) next();
  }, 500);
  await done;
  clearInterval(watch);
  socket.close();
  return { perSecond: answered / ((lastAnswer - begun) / 1000), latencies, lost };
}

function query(id: number, name: string): Buffer {
  const labels = name.split(".").map((label) => Buffer.concat([Buffer.from([label.length]), Buffer.from(label)]));
  return Buffer.concat([Buffer.from([id >> 8, id & 255, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), ...labels, Buffer.from([0, 0, 1, 0, 1])]);
}

function readLines(stream: ReadableStream<Uint8Array>): () => Promise<string> {
  const reader = stream.getReader();
  let text = "";
  return async () => {
    while (!text.includes("\n")) {
      const { value, done } = await reader.read();
      if (done) throw new Error("the DNS server of the benchmark has ended");
      text += new TextDecoder().decode(value);
    }
    const line = text.slice(0, text.indexOf("\n"));
    text = text.slice(line.length + 1);
    return line;
  };
}
