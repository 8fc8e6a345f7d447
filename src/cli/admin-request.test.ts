import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { adminRequest, ServerAway } from "./admin-request.ts";

let directory: string;
beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), "skiff-admin-request-"))));
afterEach(() => rmSync(directory, { recursive: true }));

function kubeconfigFor(port: number): string {
  const file = join(directory, "admin.yaml");
  writeFileSync(file, JSON.stringify({
    apiVersion: "v1", kind: "Config", "current-context": "c", contexts: [{ name: "c", context: { cluster: "c", user: "u" } }],
    clusters: [{ name: "c", cluster: { server: `http://127.0.0.1:${port}` } }], users: [{ name: "u", user: { token: "t" } }],
  }));
  return file;
}

const ask = (port: number, patienceMs = 100) => adminRequest({ dataDir: directory, kubeconfig: kubeconfigFor(port), method: "GET", path: "/v1-skiff/backup" }, { patienceMs });

test("a server that hangs is told of; one that answers may take its time for the rest", async () => {
  using silent = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
  const hangs = await ask(silent.port).catch((error: unknown) => error);
  expect(hangs).not.toBeInstanceOf(ServerAway);
  expect((hangs as Error).message).toBe(`the server at http://127.0.0.1:${silent.port} has not answered for 0.1 seconds: its log may tell what holds it up`);

  const patienceMs = 2000;
  await using slow = Bun.serve({ hostname: "127.0.0.1", port: 0, fetch: () => new Response(new ReadableStream({
    async pull(controller) {
      controller.enqueue(Buffer.from("begun, "));
      await Bun.sleep(patienceMs + 100);
      controller.enqueue(Buffer.from("done"));
      controller.close();
    },
  })) });
  expect(await (await ask(slow.port!, patienceMs)).text()).toBe("begun, done");
});

test("where nobody listens, the server is away", async () => {
  const port = (() => {
    using closed = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data: () => undefined } });
    return closed.port;
  })();
  await expect(ask(port, 30_000)).rejects.toThrow(ServerAway);
});
