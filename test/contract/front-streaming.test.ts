import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import net from "node:net";
import { join } from "node:path";
import { NamespaceMode } from "../../agents/cri/generated/messages.ts";
import { createStreaming, type Streaming } from "../../agents/kubelet/streaming/streaming.ts";
import type { Front } from "../../src/apiserver/front/front.ts";
import { listenFront } from "../../src/apiserver/front/listen.ts";
import type { HttpHandler } from "../../src/base/http.ts";
import { startContainerd, type TestContainerd } from "../support/containerd.ts";
import { busyboxImage, busyboxReference } from "../support/images.ts";
import { kubectlMinor } from "../support/kubectl-version.ts";
import { removeLeftovers } from "../support/leftovers.ts";
import { makeAuthority, serverTls, type Authority } from "./front-certificates.ts";

/** Real clients and a real runtime: kubectl through the front to containers of containerd. WebSockets came with 1.30; before that it spoke SPDY alone. */
const kubectls = ["kubectl"];
const transports = [
  ...(kubectlMinor() < 30 ? [] : [{ transport: "WebSocket", env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "true", KUBECTL_PORT_FORWARD_WEBSOCKETS: "true" } }]),
  { transport: "SPDY", env: { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false", KUBECTL_PORT_FORWARD_WEBSOCKETS: "false" } },
];
const clients = kubectls.flatMap((kubectl) => transports.map((transport) => ({ kubectl, ...transport })));

/** The runtime makes it and never removes it. */
const cgroup = "skiff-test-streaming";

let node: TestContainerd;
let front: Front;
let kubeconfig: string;
let containerId: string;
let podSandboxId: string;
let asked: string[];
let authority: Authority;

/** As much of the API as kubectl needs to find one pod. */
function handler(streaming: Streaming): HttpHandler {
  const json = { "Content-Type": "application/json" };
  const pod = {
    kind: "Pod", apiVersion: "v1", metadata: { name: "p", namespace: "default", uid: "1", resourceVersion: "1" },
    spec: { containers: [{ name: "main", image: busyboxReference, stdin: true }] }, status: { phase: "Running" },
  };
  const documents: Record<string, object> = {
    "/api": { kind: "APIVersions", versions: ["v1"] },
    "/apis": { kind: "APIGroupList", apiVersion: "v1", groups: [] },
    "/api/v1": { kind: "APIResourceList", groupVersion: "v1", resources: [{ name: "pods", singularName: "pod", namespaced: true, kind: "Pod", verbs: ["get", "list", "watch"] }] },
    "/api/v1/namespaces/default/pods/p": pod,
    "/api/v1/namespaces/default/pods": { kind: "PodList", apiVersion: "v1", metadata: { resourceVersion: "1" }, items: [pod] },
  };
  return async (request, response) => {
    const { pathname, searchParams } = new URL(request.url, "http://x");
    const flag = (name: string): boolean => searchParams.get(name) === "true";
    const streams = { stdin: flag("stdin"), stdout: flag("stdout"), stderr: flag("stderr"), tty: flag("tty") };
    const verb = /\/pods\/p\/(exec|attach|portforward)$/.exec(pathname)?.[1];
    if (verb !== undefined) asked.push(`${verb} ${request.headers["upgrade"]?.toLowerCase()}`);
    if (verb === "exec") return streaming.exec(request, response, { containerId, command: searchParams.getAll("command"), ...streams });
    if (verb === "attach") return streaming.attach(request, response, { containerId, ...streams });
    if (verb === "portforward") return streaming.portForward(request, response, { podSandboxId, ports: searchParams.getAll("ports").map(Number) });
    const document = documents[pathname];
    response.send(document ? 200 : 404, json, JSON.stringify(document ?? { kind: "Status", apiVersion: "v1", status: "Failure", reason: "NotFound", message: `no ${pathname}`, code: 404 }));
  };
}

beforeAll(async () => {
  node = await startContainerd();
  const images = join(node.directory, "images");
  mkdirSync(images, { recursive: true });
  writeFileSync(join(images, "busybox.tar"), await busyboxImage());
  while (await node.importer.importAll() === "settling") await Bun.sleep(20);
  const { runtime } = node.runtime;
  const config = { metadata: { name: "p", namespace: "default", uid: "p", attempt: 0 }, linux: { cgroupParent: `/${cgroup}`, securityContext: { namespaceOptions: { network: NamespaceMode.NODE } } } };
  podSandboxId = (await runtime.runPodSandbox({ config })).podSandboxId!;
  containerId = (await runtime.createContainer({
    podSandboxId, sandboxConfig: config,
    config: {
      metadata: { name: "main", attempt: 0 }, image: { image: busyboxReference }, stdin: true, command: ["sh", "-c", "while read line; do echo \"heard $line\"; done; sleep 1000"],
      linux: { securityContext: { namespaceOptions: { pid: NamespaceMode.CONTAINER, network: NamespaceMode.NODE } } },
    },
  })).containerId!;
  await runtime.startContainer({ containerId });

  authority = await makeAuthority("ca");
  const streaming = createStreaming({
    exec: async (request) => (await runtime.exec(request)).url!,
    attach: async (request) => (await runtime.attach(request)).url!,
    portForward: async (request) => (await runtime.portForward(request)).url!,
  });
  asked = [];
  front = await listenFront({ hostname: "127.0.0.1", port: 0, tls: await serverTls(authority), handler: handler(streaming) });
  kubeconfig = join(node.directory, "kubeconfig");
  writeFileSync(kubeconfig, JSON.stringify({
    apiVersion: "v1", kind: "Config", "current-context": "c", contexts: [{ name: "c", context: { cluster: "c", user: "u" } }], users: [{ name: "u", user: { token: "unused" } }],
    clusters: [{ name: "c", cluster: { server: `https://127.0.0.1:${front.port}`, "certificate-authority-data": Buffer.from(authority.cert).toString("base64") } }],
  }), { mode: 0o600 });
}, 300_000);
afterAll(async () => {
  await front?.stop({ graceMs: 0 });
  await node?.dispose();
  removeLeftovers(cgroup, node ? [node.directory] : []);
}, 180_000);

interface Result {
  code: number;
  stdout: Buffer;
  stderr: string;
}

function spawn(kubectl: string, env: Record<string, string>, args: string[], stdin: Uint8Array | "pipe" | "ignore" = "ignore") {
  return Bun.spawn([kubectl, "--kubeconfig", kubeconfig, ...args], { env: { ...process.env, HOME: node.directory, ...env }, stdin, stdout: "pipe", stderr: "pipe", timeout: 90_000 });
}

async function run(kubectl: string, env: Record<string, string>, args: string[], stdin?: Uint8Array): Promise<Result> {
  const child = spawn(kubectl, env, args, stdin ?? "ignore");
  const [stdout, stderr, code] = await Promise.all([new Response(child.stdout).arrayBuffer(), new Response(child.stderr).text(), child.exited]);
  return { code, stdout: Buffer.from(stdout), stderr };
}

const sha256 = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("hex");
const large = Buffer.alloc(5 << 20);
for (let i = 0; i < large.length; i += 4) large.writeUInt32LE((i * 2_654_435_761) >>> 0, i);

describe.each(clients)("$kubectl over $transport", ({ kubectl, env }) => {
  test("exec: output, errors and exit code, apart", async () => {
    const { code, stdout, stderr } = await run(kubectl, env, ["exec", "p", "--", "sh", "-c", "echo out; echo err >&2; exit 3"]);
    expect(stdout.toString()).toBe("out\n");
    expect(stderr).toContain("err\n");
    expect(stderr).toContain("command terminated with exit code 3");
    expect(code).toBe(3);
  });

  test("exec -i: the end of stdin reaches the command, five megabytes both ways", async () => {
    const { code, stdout, stderr } = await run(kubectl, env, ["exec", "-i", "p", "--", "cat"], large);
    expect({ code, stderr, length: stdout.length, sha256: sha256(stdout) }).toEqual({ code: 0, stderr: "", length: large.length, sha256: sha256(large) });
  }, 180_000);

  test("exec: a command that is not there", async () => {
    const { code, stderr } = await run(kubectl, env, ["exec", "p", "--", "/no/such"]);
    expect(stderr).toContain("no such file or directory");
    expect(code).not.toBe(0);
  });

  test("attach -i: lines go in, what the container says comes out", async () => {
    const child = spawn(kubectl, env, ["attach", "-i", "p"], "pipe");
    const stdin = child.stdin as import("bun").FileSink;
    const decoder = new TextDecoder();
    let text = "";
    const writing = setInterval(() => {
      stdin.write("hello\n");
      void stdin.flush();
    }, 200);
    try {
      for await (const bytes of child.stdout as ReadableStream<Uint8Array>) {
        text += decoder.decode(bytes);
        if (text.includes("heard hello")) break;
      }
    } finally {
      clearInterval(writing);
      child.kill();
      await child.exited;
    }
    expect(text).toContain("heard hello");
  }, 180_000);

  test("port-forward: several connections at once, a megabyte each way; a closed port is reported", async () => {
    const echo = net.createServer({ allowHalfOpen: true }, (socket) => {
      socket.on("error", () => {});
      socket.pipe(socket);
    });
    await new Promise<void>((resolve) => echo.listen(0, "127.0.0.1", resolve));
    const child = spawn(kubectl, env, ["port-forward", "p", `:${(echo.address() as net.AddressInfo).port}`, ":1"]);
    try {
      const ports = await forwarded(child.stdout as ReadableStream<Uint8Array>, 2);
      const payload = large.subarray(0, 1 << 20);
      const echoed = await Promise.all(Array.from({ length: 8 }, () => sent(ports[0]!, payload)));
      for (const bytes of echoed) expect(sha256(bytes)).toBe(sha256(payload));
      expect(await sent(ports[1]!, Buffer.from("nobody listens there"))).toHaveLength(0);
      expect(await textUntil(child.stderr as ReadableStream<Uint8Array>, /connection refused/i)).toMatch(/connection refused/i);
    } finally {
      child.kill();
      await child.exited;
      echo.close();
    }
  }, 180_000);
});

test("kubectl used WebSocket and SPDY as told", () => {
  const protocols = transports.map(({ transport }) => (transport === "SPDY" ? "spdy/3.1" : "websocket"));
  expect(new Set(asked)).toEqual(new Set(protocols.flatMap((protocol) => [`exec ${protocol}`, `attach ${protocol}`, `portforward ${protocol}`])));
});

describe("clients of WebSocket v4 and v1, which the runtime answers itself", () => {
  test.each([
    { protocol: "v4.channel.k8s.io", status: '"reason":"NonZeroExitCode"' },
    { protocol: "channel.k8s.io", status: "exit code 3" },
  ])("$protocol", async ({ protocol, status }) => {
    const socket = new WebSocket(`wss://127.0.0.1:${front.port}/api/v1/namespaces/default/pods/p/exec?command=sh&command=-c&command=echo+out;echo+err+>%262;exit+3&stdout=true&stderr=true`, {
      protocols: [protocol], tls: { ca: authority.cert },
    } as unknown as string[]);
    socket.binaryType = "arraybuffer";
    const channels = ["", "", "", "", ""];
    socket.onmessage = ({ data }) => {
      const bytes = Buffer.from(data as ArrayBuffer);
      channels[bytes[0]!] += bytes.toString("utf8", 1);
    };
    await new Promise((resolve) => (socket.onclose = resolve));
    expect(channels.slice(1, 3)).toEqual(["out\n", "err\n"]);
    expect(channels[3]).toContain(status);
  });

  test("a request that is no upgrade", async () => {
    const plain = await fetch(`https://127.0.0.1:${front.port}/api/v1/namespaces/default/pods/p/exec?command=true&stdout=true`, { tls: { ca: authority.cert } });
    expect([plain.status, await plain.text()]).toEqual([400, "Upgrade request required\n"]);
  });
});

/** What a stream says, up to the first match or its end. */
async function textUntil(stream: ReadableStream<Uint8Array>, pattern: RegExp): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stream) {
    text += decoder.decode(bytes, { stream: true });
    if (pattern.test(text)) break;
  }
  return text;
}

/** The local ports that kubectl reports, in order. */
async function forwarded(stdout: ReadableStream<Uint8Array>, count: number): Promise<number[]> {
  let text = "";
  const reader = stdout.getReader();
  for (;;) {
    const ports = [...text.matchAll(/Forwarding from 127\.0\.0\.1:(\d+)/g)].map((match) => Number(match[1]));
    if (ports.length >= count) return ports;
    const { done, value } = await reader.read();
    if (done) throw new Error(`port-forward ended: ${text}`);
    text += Buffer.from(value).toString();
  }
}

/** Sends all, ends, and collects what comes back until the other side ends. */
function sent(port: number, payload: Buffer): Promise<Buffer> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    const socket = net.connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    socket.on("data", (bytes: Buffer) => parts.push(bytes));
    socket.on("error", () => {});
    socket.on("end", () => socket.end());
    socket.on("close", () => resolve(Buffer.concat(parts)));
    socket.end(payload);
  });
}
