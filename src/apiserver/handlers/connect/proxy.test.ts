import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import type { RawConnection } from "../../../base/http.ts";
import { exchange, type ExchangeOptions } from "../../../../test/support/http.ts";
import { newExchange } from "../../exchange.ts";
import { withRecovery } from "../../filters/recovery.ts";
import { pathBehindProxy, redirectedToRoot, splitTarget } from "./proxy-target.ts";
import { forward } from "./reverse-proxy.ts";

const log = { debug() {}, info() {}, warn() {}, error() {} };
let backend: Server;
let port: number;

beforeAll(async () => {
  backend = createServer((request, response) => {
    let body = "";
    request.on("data", (chunk) => (body += chunk));
    request.on("end", () => {
      response.writeHead(request.url?.startsWith("/moved") ? 302 : 200, { location: "/elsewhere", "set-cookie": ["a=1", "b=2"], "x-method": request.method });
      response.end(JSON.stringify({ url: request.url, headers: request.headers, body }));
    });
  });
  backend.on("upgrade", (_request, socket) => {
    socket.write("HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\nhello ");
    socket.pipe(socket);
  });
  await new Promise<void>((resolve) => backend.listen(0, "127.0.0.1", resolve));
  port = (backend.address() as AddressInfo).port;
});
afterAll(() => {
  backend.closeAllConnections();
  backend.close();
});

function send(options: Partial<ExchangeOptions>, path: string, to = port): ReturnType<typeof exchange> {
  return exchange((request, response) => withRecovery({ log })(newExchange(request, response), (each) => forward(each, { scheme: "http", host: "127.0.0.1", port: to, path, search: "q=a%20b" })), { url: "/", ...options });
}

describe("a proxied request", () => {
  test("goes on as it came, without our credentials", async () => {
    const { answer, done } = send({ method: "POST", body: "data", headers: { authorization: "Bearer secret", "impersonate-user": "x", "x-own": "1", connection: "keep-alive" } }, "/a%2Fb");
    await done;
    const seen = JSON.parse(answer.text()) as { url: string; headers: Record<string, string>; body: string };
    expect([answer.status, seen.url, seen.body, answer.headers["x-method"], answer.headers["set-cookie"]]).toEqual([200, "/a%2Fb?q=a%20b", "data", "POST", ["a=1", "b=2"]]);
    // The front sets it, and refuses others'.
    expect(answer.headers).not.toHaveProperty("date");
    expect(seen.headers).toMatchObject({ "x-own": "1", "x-forwarded-for": "192.0.2.1" });
    expect(seen.headers).not.toContainAnyKeys(["authorization", "impersonate-user"]);
  });

  test("follows no redirect", async () => {
    const { answer, done } = send({}, "/moved");
    await done;
    expect([answer.status, answer.headers["location"]]).toEqual([302, "/elsewhere"]);
  });

  test("to where nobody listens is 503", async () => {
    const { answer, done } = send({}, "/", 1);
    await done;
    expect([answer.status, JSON.parse(answer.text())]).toMatchObject([503, { reason: "ServiceUnavailable", message: expect.stringContaining("error trying to reach service") }]);
  });

  test("that upgrades is joined with the target, early bytes included", async () => {
    const received = Promise.withResolvers<string>();
    let text = "";
    const raw: RawConnection = {
      onData: () => undefined, onClose: () => undefined, queuedBytes: 0, drained: async () => undefined, pause() {}, resume() {}, end() {}, destroy() {},
      write(bytes) {
        text += Buffer.from(bytes).toString();
        if (text === "hello ping") received.resolve(text);
        return true;
      },
    };
    const request = { method: "GET", url: "/", headers: { upgrade: "echo" }, remoteAddress: "192.0.2.1", body: async () => new Uint8Array(), signal: new AbortController().signal };
    const response = { started: false, send() {}, stream: () => { throw new Error("not a stream"); }, upgrade: () => raw };
    await forward(newExchange(request, response), { scheme: "http", host: "127.0.0.1", port, path: "/", search: "" });
    raw.onData(Buffer.from("ping"));
    expect(await received.promise).toBe("hello ping");
    raw.onClose();
  });
});

test.each([
  ["web", { scheme: "http", name: "web", port: "" }], ["web:80", { scheme: "http", name: "web", port: "80" }],
  ["https:web:443", { scheme: "https", name: "web", port: "443" }], ["https:web:", { scheme: "https", name: "web", port: "" }],
] as const)("%s", (text, expected) => expect(splitTarget("pod", text)).toEqual(expected));

test.each(["ftp:web:21", ":80", "a:b:c:d", ""])("%p is no target", (text) => {
  expect(() => splitTarget("pod", text)).toThrow(`invalid pod request ${JSON.stringify(text)}`);
});

test.each([
  ["GET", "/api/v1/namespaces/n/pods/p/proxy", "/api/v1/namespaces/n/pods/p/proxy/"], ["HEAD", "/api/v1/nodes/n/proxy?a=b?c", "/api/v1/nodes/n/proxy/?a=b?c"],
  ["POST", "/api/v1/namespaces/n/pods/p/proxy", undefined], ["GET", "/api/v1/namespaces/n/pods/p/proxy/", undefined], ["GET", "/api/v1/namespaces/n/pods/p/proxy/x/proxy", undefined],
])("%s %s is sent to %s", async (method, url, location) => {
  const { answer, done } = exchange((request, response) => {
    if (!redirectedToRoot(newExchange(request, response))) response.send(200, {});
  }, { method, url });
  await done;
  expect([answer.status, answer.headers["Location"]]).toEqual(location ? [301, location] : [200, undefined]);
});

test.each([
  ["/api/v1/nodes/proxy-1/proxy/metrics?x=/proxy/y", "/metrics"], ["/api/v1/namespaces/proxy/pods/proxy/proxy/a%2Fb", "/a%2Fb"], ["/api/v1/nodes/n/proxy", "/"], ["/api/v1/nodes/n/proxy/", "/"],
])("%s", (url, path) => expect(pathBehindProxy(url)).toBe(path));
