import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { createFabric } from "../support/node/fabric.ts";
import type { TestNode } from "../support/node/test-node.ts";

const fabric = await createFabric();
afterAll(() => fabric.dispose());
fabric.segment("home", { nat: true });
const [a, b, far, hidden] = await Promise.all([fabric.node("a"), fabric.node("b"), fabric.node("far", { segment: "remote" }), fabric.node("hidden", { segment: "home" })]);

const reaches = async (from: TestNode, address: string): Promise<boolean> => (await from.exec(["busybox", "ping", "-q", "-c", "1", "-W", "1", address])).exitCode === 0;
/** The first packet may be lost while addresses and neighbours are made known. */
const reached = (from: TestNode, address: string): Promise<void> => eventually(async () => expect(await reaches(from, address)).toBe(true));

describe("nodes made of namespaces", () => {
  test("have names, processes, files and addresses of their own", async () => {
    expect((await a.run(["cat", "/proc/sys/kernel/hostname", "/etc/hostname"])).split("\n")).toEqual(["a", "a", ""]);
    expect(await a.run(["cat", "/etc/machine-id"])).not.toBe(await b.run(["cat", "/etc/machine-id"]));
    expect((await a.run(["cat", "/proc/1/comm"])).trim()).toBe("sleep");
    expect((await a.run(["ls", "/sys/class/net"])).split("\n")).toEqual(["eth0", "lo", ""]);
    expect(await a.run(["ls", "/sys/fs/cgroup"])).not.toBe("");
    expect([a.ip, b.ip, far.ip, hidden.ip]).toEqual(["192.168.77.11", "192.168.77.12", "192.168.79.13", "192.168.78.14"]);
  });

  test("reach each other within a segment, across the router, in both families; behind NAT in one direction only", async () => {
    for (const [from, to] of [[a, b], [a, far], [far, b], [hidden, a]] as const) {
      await reached(from, to.ipv4!);
      await reached(from, to.ipv6!);
    }
    expect(await reaches(a, hidden.ip)).toBe(false);
    await reached(far, fabric.outsideIp);
  });

  test("lose their link and get it back", async () => {
    a.unplug();
    expect(await reaches(b, a.ip)).toBe(false);
    expect(readFileSync(`/proc/${fabricPid(a)}/root/sys/class/net/eth0/carrier`, "utf8").trim()).toBe("0");
    a.plug();
    await eventually(async () => expect(await reaches(b, a.ip)).toBe(true));
  });

  test("lose frames", async () => {
    a.lose(100);
    // All but one in a thousand.
    await eventually(async () => expect(await reaches(b, a.ip)).toBe(false));
    a.lose(0);
    await reached(b, a.ip);
  });

  test("have a slow line when they shall", async () => {
    const file = join(fabric.directory, "bytes"), bytes = 200_000, kbit = 1000;
    writeFileSync(file, new Uint8Array(bytes));
    const server = b.spawn(["busybox", "httpd", "-f", "-p", "80", "-h", fabric.directory], { logFile: join(fabric.directory, "httpd.log") });
    await eventually(async () => expect((await b.exec(["curl", "-sS", "-o", "/dev/null", "http://127.0.0.1/bytes"])).exitCode).toBe(0));
    a.limit(kbit);
    const start = performance.now();
    await a.run(["curl", "-sS", "-o", "/dev/null", `http://${b.ip}/bytes`]);
    // All but what fits into a burst.
    expect(performance.now() - start).toBeGreaterThan((bytes * 8 / kbit) * 0.8);
    server.kill();
    await server.exited;
  });

  test("take other addresses, and move to another segment", async () => {
    b.changeAddress(99);
    expect(b.ip).toBe("192.168.77.99");
    await reached(far, b.ip);
    b.moveTo("remote");
    expect(await reaches(far, b.ip)).toBe(false);
    b.changeAddress();
    expect(b.ip).toBe("192.168.79.99");
    await reached(a, b.ip);
  });

  test("lose everything but their disk in a power cut", async () => {
    const logFile = join(fabric.directory, "sleep.log"), kept = join(a.disk, "kept");
    const program = a.spawn(["sh", "-c", `echo started; echo x > ${kept}; echo y > /etc/kept; echo z > /run/gone; (setsid sleep 1000 &); exec sleep 1000`], { logFile });
    await eventually(() => expect(readFileSync(logFile, "utf8")).toBe("started\n"));
    await eventually(() => expect(a.readFile("/run/gone")).toBe("z\n"));
    await a.powerCut();
    expect(await program.exited).not.toBe(0);
    expect(await reaches(far, "192.168.77.11")).toBe(false);
    await a.boot();
    await reached(far, a.ip);
    expect([readFileSync(kept, "utf8"), a.readFile("/etc/kept"), a.readFile("/run/gone")]).toEqual(["x\n", "y\n", undefined]);
  });

  test("pass signals on to programs", async () => {
    const logFile = join(fabric.directory, "trap.log");
    const program = far.spawn(["sh", "-c", "trap 'echo asked; exit 7' TERM; echo ready; while :; do sleep 0.1; done"], { logFile });
    await eventually(() => expect(readFileSync(logFile, "utf8")).toBe("ready\n"));
    program.kill("SIGTERM");
    expect(await program.exited).toBe(7);
    expect(readFileSync(logFile, "utf8")).toBe("ready\nasked\n");
  });
});

test("nothing is left when a test is killed", async () => {
  const script = join(fabric.directory, "killed.ts");
  writeFileSync(script, `import { createFabric } from ${JSON.stringify(join(import.meta.dir, "../support/node/fabric.ts"))};\nconst fabric = await createFabric();\nconst node = await fabric.node("n");\nnode.spawn(["sleep", "1000"], { logFile: "/dev/null" });\nconsole.log(fabric.directory, fabricPid(node));\nawait Bun.sleep(60000);\nfunction fabricPid(node) { return node.inside([])[2]; }\n`);
  const child = Bun.spawn([process.execPath, script], { stdout: "pipe", stderr: "inherit" });
  const { value } = await child.stdout.getReader().read();
  const [directory, pid] = new TextDecoder().decode(value).trim().split(" ") as [string, string];
  expect([existsSync(directory), existsSync(`/proc/${pid}`)]).toEqual([true, true]);
  child.kill("SIGKILL");
  await child.exited;
  await eventually(() => expect(existsSync(`/proc/${pid}`)).toBe(false));
  await (await createFabric()).dispose();
  expect(existsSync(directory)).toBe(false);
});

/** A process of the node's. */
function fabricPid(node: TestNode): string {
  return node.inside([])[2]!;
}
