import { afterEach, describe, expect, test } from "bun:test";
import { createServer, type Server } from "node:http";
import { createServer as createHttp2Server, type Http2Server, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { grpcHealth } from "./grpc-health.ts";
import { httpGetFollowing, type HttpGet } from "./http-get.ts";

const servers: (Server | Http2Server)[] = [];
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});
const portOf = async (server: Server | Http2Server): Promise<number> => {
  servers.push(server);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
};

describe("a GET", () => {
  const get = (port: number, path: string, more: Partial<HttpGet> = {}): HttpGet => ({ scheme: "HTTP", host: "127.0.0.1", port, path, headers: [], userAgent: "test", timeoutMs: 2000, ...more });
  const serve = (): Promise<number> => portOf(createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url!, "http://x");
    const location = searchParams.get("to");
    if (location) response.writeHead(302, { Location: location }).end("moved");
    else if (pathname === "/loop") response.writeHead(302, { Location: "/loop" }).end();
    else if (pathname === "/slow") return;
    else response.writeHead(Number(pathname.slice(1))).end("body");
  }));

  test.each<[string, number]>([["/200", 200], ["/500", 500], ["/x?to=/200", 200], ["/x?to=/503", 503], ["/304", 304]])("%s: %i", async (path, status) => expect((await httpGetFollowing(get(await serve(), path))).status).toBe(status));
  test("goes to another port of the same host, and to no other host", async () => {
    const [first, second] = [await serve(), await serve()];
    expect((await httpGetFollowing(get(first, `/x?to=${encodeURIComponent(`http://127.0.0.1:${second}/404`)}`))).status).toBe(404);
    expect(await httpGetFollowing(get(first, `/x?to=${encodeURIComponent("http://0.0.0.0/")}`))).toEqual({ status: 302, location: "http://0.0.0.0/", body: "moved" });
  });
  test("gives up", async () => {
    const port = await serve();
    expect(httpGetFollowing(get(port, "/loop"))).rejects.toThrow("stopped after 10 redirects");
    await expect(httpGetFollowing(get(port, "/slow", { timeoutMs: 50 }))).rejects.toThrow(`Get "http://127.0.0.1:${port}/slow": context deadline exceeded`);
    await expect(httpGetFollowing(get(1, "/"))).rejects.toThrow("connect: connection refused");
  });
});

describe("a health check by gRPC", () => {
  const asked: string[] = [];
  const serve = (status: number | undefined, code = 0): Promise<number> => {
    const server = createHttp2Server();
    server.on("stream", (stream: ServerHttp2Stream) => {
      stream.on("data", (bytes: Buffer) => asked.push(bytes.subarray(5).toString("latin1")));
      if (code !== 0) return stream.respond({ ":status": 200, "content-type": "application/grpc", "grpc-status": String(code), "grpc-message": "no%20such" }, { endStream: true });
      stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true });
      stream.on("wantTrailers", () => stream.sendTrailers({ "grpc-status": "0" }));
      const message = status === undefined ? Buffer.alloc(0) : Buffer.of(0x08, status);
      stream.end(Buffer.concat([Buffer.of(0, 0, 0, 0, message.length), message]));
    });
    return portOf(server);
  };
  test.each<[number | undefined, string]>([[1, "SERVING"], [2, "NOT_SERVING"], [3, "SERVICE_UNKNOWN"], [undefined, "UNKNOWN"]])("answered with %p: %s", async (status, expected) => expect(await grpcHealth("127.0.0.1", await serve(status), "", 2000)).toBe(expected as never));
  test("names the service, however long its name is", async () => {
    await grpcHealth("127.0.0.1", await serve(1), "s".repeat(200), 2000);
    expect(asked.at(-1)).toBe(`\n\xc8\x01${"s".repeat(200)}`);
  });
  test("that the server does not know", async () => expect(grpcHealth("127.0.0.1", await serve(1, 12), "", 2000)).rejects.toThrow("error: this server does not implement the grpc health protocol (grpc.health.v1.Health): no such"));
  test("of a service that is not there", async () => expect(grpcHealth("127.0.0.1", await serve(1, 5), "", 2000)).rejects.toThrow("error: health rpc probe failed: rpc error: code = NotFound desc = no such"));
});
