import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { processGroup } from "../../agents/ingress/host.ts";
import { commandLine } from "../support/command-line.ts";
import { skiffForThisFile } from "../support/e2e.ts";
import { eventually } from "../support/eventually.ts";
import type { KubeJson } from "../support/kubectl.ts";
import { type Outcome, outcomeOf, output, startProgram } from "../support/running.ts";
import { deployment, service, webServer } from "../support/workloads.ts";

const skiff = await skiffForThisFile();
const { kubectl, network } = skiff;
const address = network.ip;

const backend = (name: string, number = 80): object => ({ service: { name, port: { number } } });
const path = (of: string, to: object, pathType = "Prefix"): object => ({ path: of, pathType, backend: to });
const ingress = (name: string, spec: object, annotations: Record<string, string> = {}): object => ({ apiVersion: "networking.k8s.io/v1", kind: "Ingress", metadata: { name, annotations }, spec });

/** From the world outside: the body, then the status on a line of its own. */
const curl = (url: string, ...args: string[]): Promise<Outcome> => outcomeOf(network.outside(["curl", "-sS", "--max-time", "10", "-w", "\n%{http_code}", ...args, url]));
async function ask(host: string, of = "/", ...args: string[]): Promise<{ code: number; body: string }> {
  const { stdout, stderr, exitCode } = await curl(`http://${address}${of}`, "-H", `Host: ${host}`, ...args);
  if (exitCode !== 0) throw new Error(stderr);
  const lines = stdout.split("\n");
  return { code: Number(lines.pop()), body: lines.join("\n").trim() };
}
/** Until that is the answer, whoever takes the request: for a moment after a reload, workers of before take some of them. */
const answers = (host: string, of: string, code: number, body?: string): Promise<void> => eventually(async () => {
  expect(await ask(host, of)).toMatchObject({ code, ...(body === undefined ? {} : { body }) });
  expectNoOlderWorkers();
});
/** Throws while more of nginx's workers accept connections than there shall be: those of before and those of now. */
const expectNoOlderWorkers = (): void => expect(accepting()).toBe(1 + Number(/^worker_processes (\d+);$/m.exec(readFileSync(join(skiff.layout.runDir, "ingress/nginx.conf"), "utf8"))?.[1]));
/** How many processes nginx has that go on: its master, and workers. One that was told to end calls itself "worker process is shutting down"; one that has only begun is called as the master. */
const accepting = (): number => processGroup(`/${skiff.layout.instance}/ingress`).pids().map((pid) => commandLine(pid)[0] ?? "").filter((title) => title.startsWith("nginx: ") && !title.includes("shutting down")).length;

/** A server beside the cluster, on the node's own address, behind a Service without a selector. */
const echoPort = 8099;
const echo = startProgram(network.inside([process.execPath, join(import.meta.dir, "../fixtures/echo-server.ts"), String(echoPort)]));
afterAll(() => echo.stop("SIGKILL"));
await echo.until(/listening/);
await kubectl.apply(
  { ...service("echo", { selector: undefined, ports: [{ port: 80, targetPort: echoPort as never }] }) },
  { apiVersion: "discovery.k8s.io/v1", kind: "EndpointSlice", metadata: { name: "echo-1", labels: { "kubernetes.io/service-name": "echo" } }, addressType: "IPv4", endpoints: [{ addresses: [address] }], ports: [{ name: "", port: echoPort, protocol: "TCP" }] },
  // They let go gently: nginx forgets them while they still serve.
  ...["red", "blue"].flatMap((name) => [deployment(name, 1, webServer(`mkdir -p /www/deep/er; for f in index.html deep/index.html deep/er/index.html; do echo ${name} > /www/$f; done; echo ${name} > /www/exact`, { lifecycle: { preStop: { exec: { command: ["sleep", "8"] } } } }), { terminationGracePeriodSeconds: 10 }), service(name)]),
);
for (const name of ["red", "blue"]) await kubectl("rollout", "status", `deployment/${name}`, "--timeout=120s");

test("there is a class of ours, which is the default, and no process before there is an Ingress", async () => {
  const [found] = await kubectl.items("ingressclasses");
  expect(found).toMatchObject({ metadata: { name: "skiff", annotations: { "ingressclass.kubernetes.io/is-default-class": "true" } }, spec: { controller: "skiff.io/ingress" } });
  expect((await curl(`http://${address}/`)).exitCode).toBe(7);
});

test("hosts and paths, the longest and the exact first; the status shows where to", async () => {
  await kubectl.apply(
    ingress("colours", { rules: [
      { host: "colours.test", http: { paths: [path("/", backend("red")), path("/deep", backend("blue")), path("/deep/er", backend("red")), path("/exact", backend("blue"), "Exact")] } },
      { host: "*.wild.test", http: { paths: [path("/", backend("blue"), "ImplementationSpecific")] } },
    ] }),
  );
  await answers("colours.test", "/", 200, "red");
  const table: [host: string, of: string, code: number, body?: string][] = [
    ["colours.test", "/deep/", 200, "blue"], ["colours.test", "/deep/er/", 200, "red"], ["colours.test", "/exact", 200, "blue"], ["colours.test", "/deeper", 404],
    ["COLOURS.test", "/", 200, "red"], ["colours.test:8080", "/", 200, "red"], ["a.wild.test", "/", 200, "blue"], ["a.b.wild.test", "/", 404], ["wild.test", "/", 404], ["other.test", "/", 404],
  ];
  for (const [host, of, code, body] of table) expect([host, of, await ask(host, of)]).toEqual([host, of, { code, body: body ?? expect.any(String) }]);
  await eventually(async () => expect((await kubectl.get("ingress", "colours")).status.loadBalancer).toEqual({ ingress: [{ ip: address }] }));
});

test("the requests of clients arrive as they are, with what they came by", async () => {
  await kubectl.apply(ingress("echo", { rules: [{ host: "echo.test", http: { paths: [path("/", backend("echo"))] } }] }));
  await answers("echo.test", "/", 200);
  const upload = join(skiff.directory, "upload");
  writeFileSync(upload, "x".repeat(3_000_000));
  const { body } = await ask("echo.test", "/a%2Fb/c?x=1&y=%20", "-X", "PUT", "--data-binary", `@${upload}`, "-H", "X-Forwarded-For: 1.2.3.4", "-H", "Expect:");
  expect(JSON.parse(body)).toMatchObject({
    method: "PUT", path: "/a%2Fb/c?x=1&y=%20", bytes: 3_000_000,
    headers: { host: "echo.test", "x-forwarded-for": network.outsideIp, "x-real-ip": network.outsideIp, "x-forwarded-proto": "http", "x-forwarded-host": "echo.test", "x-forwarded-port": "80" },
  });
});

test("streams pass as they come, and WebSockets stay over a reload", async () => {
  const stream = startProgram(network.outside(["curl", "-sSN", "--max-time", "60", "-H", "Host: echo.test", `http://${address}/stream`]));
  await stream.until(/first/);
  expect(stream.text()).not.toContain("second");

  const script = join(skiff.directory, "websocket.ts");
  writeFileSync(script, `const socket = new WebSocket("ws://${address}/socket", { headers: { Host: "echo.test" } });
    socket.onopen = () => console.log("open");
    socket.onmessage = ({ data }) => console.log(data);
    socket.onclose = ({ code }) => { console.log("closed " + code); process.exit(1); };
    for await (const line of console) socket.send(line);`);
  const socket = startProgram(network.outside([process.execPath, script]));
  await socket.until(/open/);
  socket.write("one\n");
  await socket.until(/you said one/);

  await kubectl.apply(ingress("another", { rules: [{ host: "another.test", http: { paths: [path("/", backend("red"))] } }] }));
  await answers("another.test", "/", 200, "red");
  socket.write("two\n");
  await socket.until(/you said two/);
  await ask("echo.test", "/next");
  await stream.until(/second/);
  expect(await stream.exited).toBe(0);
  await socket.stop();
});

describe("TLS", () => {
  const at = (host: string, ...args: string[]): Promise<Outcome> => outcomeOf(network.outside(["curl", "-sS", "--max-time", "10", "--resolve", `${host}:443:${address}`, ...args, `https://${host}/`]));
  const answersSecurely = (body: string, host: string, ...args: string[]): Promise<void> => eventually(async () => {
    expect((await at(host, ...args)).stdout).toBe(body);
    expectNoOlderWorkers();
  });
  const makePair = async (name: string, ...names: string[]): Promise<void> => {
    const file = join(skiff.directory, name);
    await output(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "30", "-subj", `/CN=${name}`, "-addext", `subjectAltName=${names.map((one) => `DNS:${one}`).join(",")}`, "-keyout", `${file}.key`, "-out", `${file}.crt`]);
  };
  const secret = (name: string, pair = name): Promise<string> => kubectl("create", "secret", "tls", name, `--cert=${join(skiff.directory, pair)}.crt`, `--key=${join(skiff.directory, pair)}.key`);
  const trusting = (name: string): string[] => ["--cacert", join(skiff.directory, `${name}.crt`)];

  test("each host has the certificate of its Secret, by SNI, also a new one, and HTTP/2", async () => {
    await makePair("first", "one.test");
    await makePair("second", "*.two.test");
    await secret("first");
    await secret("second");
    await kubectl.apply(ingress("secure", { tls: [{ hosts: ["one.test"], secretName: "first" }, { hosts: ["*.two.test"], secretName: "second" }], rules: [
      { host: "one.test", http: { paths: [path("/", backend("red"))] } }, { host: "a.two.test", http: { paths: [path("/", backend("blue"))] } },
    ] }));
    await answersSecurely("red\n", "one.test", ...trusting("first"));
    expect((await at("a.two.test", ...trusting("second"), "-w", "%{http_version}")).stdout).toBe("blue\n2");
    expect((await at("one.test", ...trusting("second"))).exitCode).not.toBe(0);

    await makePair("renewed", "one.test");
    const data = Object.fromEntries([["tls.crt", "crt"], ["tls.key", "key"]].map(([key, suffix]) => [key, readFileSync(join(skiff.directory, `renewed.${suffix}`)).toString("base64")]));
    await kubectl("patch", "secret", "first", "--type=merge", "-p", JSON.stringify({ data }));
    await answersSecurely("red\n", "one.test", ...trusting("renewed"));
  });

  test("a Secret of no use is told of, and harms nobody else", async () => {
    await kubectl("create", "secret", "generic", "broken", "--type=kubernetes.io/tls", "--from-literal=tls.crt=nonsense", "--from-literal=tls.key=nonsense");
    await kubectl.apply(ingress("broken", { tls: [{ hosts: ["broken.test"], secretName: "broken" }], rules: [{ host: "broken.test", http: { paths: [path("/", backend("red"))] } }] }));
    await eventually(async () => expect(await kubectl.eventsOf("broken")).toContain("the secret default/broken holds no certificate and key in PEM (tls.crt, tls.key): a certificate of our own is shown instead"));
    await answersSecurely("red\n", "broken.test", "-k");
    expect((await at("one.test", ...trusting("renewed"))).stdout).toBe("red\n");
  });

  test("clients of plain HTTP are sent to HTTPS where the author wishes so", async () => {
    await kubectl("annotate", "ingress", "secure", "ingress.skiff.io/ssl-redirect=true");
    await eventually(async () => expect((await curl(`http://${address}/x?y`, "-H", "Host: one.test", "-o", "/dev/null", "-w", "%{http_code} %{redirect_url}")).stdout).toEndWith("308 https://one.test/x?y"));
  });
});

test("no pods, no service and no such port: 503, and the author is told of mistakes", async () => {
  await kubectl.apply(service("empty"), ingress("wrong", { rules: [{ host: "wrong.test", http: { paths: [path("/empty", backend("empty")), path("/missing", backend("missing")), path("/port", backend("red", 81))] } }] }));
  for (const of of ["/empty", "/missing", "/port"]) await answers("wrong.test", of, 503);
  await eventually(async () => {
    const told = await kubectl.eventsOf("wrong");
    for (const text of ["there is no service missing in the namespace default", "the service red has no port 81"]) expect(told).toContain(text);
    expect(told).not.toContain("empty");
  });
});

test("a path may hold what would mean something to the proxy", async () => {
  const paths = ['/a"b;}', "/a\\b", "/$uri", "/a b{", "/#x"];
  await kubectl.apply(ingress("odd", { rules: [{ host: "odd.test", http: { paths: paths.map((of) => path(of, backend("echo"), "Exact")) } }] }));
  await answers("odd.test", "/$uri", 200);
  for (const of of paths) expect([of, (await ask("odd.test", encodeURI(of).replace("#", "%23"), "-g")).code]).toEqual([of, 200]);
  expect((await ask("odd.test", "/a")).code).toBe(404);
});

test("a default back end takes what no rule does, and an older Ingress keeps its path", async () => {
  await kubectl.apply(ingress("younger", { defaultBackend: backend("blue"), rules: [{ host: "colours.test", http: { paths: [path("/", backend("blue"))] } }] }));
  await answers("nowhere.test", "/", 200, "blue");
  expect(await ask("colours.test")).toEqual({ code: 200, body: "red" });
});

test("requests succeed all through a rollout", async () => {
  const results: string[] = [];
  let going = true;
  const asking = (async () => {
    while (going) results.push(await ask("colours.test").then(({ code, body }) => `${code} ${body}`, (error: Error) => error.message));
  })();
  await kubectl("set", "env", "deployment/red", "CHANGE=1");
  await kubectl("rollout", "status", "deployment/red", "--timeout=120s");
  going = false;
  await asking;
  expect(new Set(results)).toEqual(new Set(["200 red"]));
});

test("nginx is started again when it ends, and replaced when Skiff was killed; other classes are not ours", async () => {
  const pidOf = (): number => Number(readFileSync(join(skiff.layout.runDir, "ingress/nginx.pid"), "utf8"));
  const first = pidOf();
  process.kill(first, "SIGKILL");
  await eventually(() => expect(pidOf()).not.toBe(first));
  await answers("colours.test", "/", 200, "red");

  await kubectl.apply(ingress("foreign", { ingressClassName: "nginx", rules: [{ host: "foreign.test", http: { paths: [path("/", backend("red"))] } }] }));
  const second = pidOf();
  await skiff.kill9();
  expect(await ask("colours.test")).toEqual({ code: 200, body: "red" });
  skiff.spawn();
  await skiff.untilApiReady();
  await eventually(() => expect(pidOf()).not.toBe(second));
  await answers("colours.test", "/", 200, "red");
  expect(await ask("foreign.test")).toEqual({ code: 200, body: "blue" });
  expect((await kubectl.get<KubeJson>("ingress", "foreign")).status.loadBalancer).toEqual({});
});
