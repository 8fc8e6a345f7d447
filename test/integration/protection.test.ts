import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { configmaps } from "../../src/apis/builtins.ts";
import { validatingwebhookconfigurations } from "../../src/apis/admissionregistration/validatingwebhookconfiguration.ts";
import { connect, responses, type RawClient } from "../contract/front-client.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { eventually } from "../support/eventually.ts";
import { startWebhookServer, type WebhookServer } from "../support/webhook-server.ts";

/** Clients that cost much, or try to, against the whole API server through its port: whoever behaves is served all the while. */

let server: TestApiServer, hooks: WebhookServer, identity: { cert: string; key: string };
const open = new Set<RawClient>();
const big = "x".repeat(200_000);

beforeAll(async () => {
  server = await startApiServer({ limits: { headerTimeoutMs: 2_000, bodyTimeoutMs: 2_000, idleTimeoutMs: 5_000, writeTimeoutMs: 2_000, streamQueueBytes: 1 << 20, connectionsPerAddress: 60 } });
  const { certificate, key } = await server.certificate("system:admin", "system:masters");
  identity = { cert: certificate, key };
  hooks = await startWebhookServer({ "/slow": async () => {
    await Bun.sleep(700);
    return {};
  } });
  for (let i = 0; i < 100; i++) await server.client().create(configmaps, { metadata: { name: `big${i}`, namespace: "default" }, data: { big } });
});
afterAll(async () => {
  for (const client of open) client.destroy();
  hooks.stop();
  await server.stop();
});

async function dial(as: typeof identity | undefined = identity): Promise<RawClient> {
  const client = await connect({ port: server.port, ca: server.ca, ...(as ? { identity: as as never } : {}) });
  open.add(client);
  return client;
}
const closed = async (...clients: RawClient[]): Promise<void> => {
  await Promise.all(clients.map((client) => client.until((each) => each.closed)));
  for (const client of clients) open.delete(client);
};
const get = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n\r\n`;
const served = async (): Promise<void> => expect((await server.fetch("/api/v1/namespaces/default/configmaps/big0")).status).toBe(200);
const maps = "/api/v1/namespaces/default/configmaps";

describe("clients that take their time", () => {
  test("headers byte by byte are given up, all of them, while others are served", async () => {
    const clients = await Promise.all(Array.from({ length: 20 }, () => dial()));
    const drip = setInterval(() => {
      for (const client of clients) if (!client.closed) client.send("X");
    }, 50);
    clients.forEach((client) => client.send("GET /version HTTP/1.1\r\nHost: x\r\nX-Slow: "));
    try {
      await served();
      await closed(...clients);
    } finally {
      clearInterval(drip);
    }
    expect(clients.map(({ text }) => responses(text).map(({ status }) => status))).toEqual(clients.map(() => [408]));
  });

  test("bodies byte by byte are given up, and nothing is stored of them", async () => {
    const client = await dial();
    client.send(`POST ${maps} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"metadata":{"name":"half"}`);
    const drip = setInterval(() => {
      if (!client.closed) client.send(" ");
    }, 100);
    try {
      await closed(client);
    } finally {
      clearInterval(drip);
    }
    expect(responses(client.text).map(({ status }) => status)).toEqual([408]);
    expect((await server.fetch(`${maps}/half`)).status).toBe(404);
  });

  test("a watch that nobody reads is cut off; another one misses nothing", async () => {
    const path = `${maps}?watch=1&resourceVersion=0&fieldSelector=metadata.name%3Dwatched`;
    const slow = await dial(), quick = (await server.fetch(path)).body!.getReader();
    slow.send(get(path));
    await slow.until((each) => each.text.startsWith("HTTP/1.1 200"));
    slow.pause();
    const watches = async (): Promise<number> => Number(/^apiserver_longrunning_requests (\d+)/m.exec(await (await server.fetch("/metrics")).text())![1]);
    // What lies in the kernel's buffers counts for nothing, and nobody knows how much that is.
    let round = 0;
    for (; round === 0 || await watches() === 2; round++) {
      expect(round).toBeLessThan(200);
      const object = { metadata: { name: "watched", namespace: "default" }, data: { round: `round-${round}.`, text: "y".repeat(900_000) } };
      await (round === 0 ? server.client().create(configmaps, object) : server.client().update(configmaps, object));
      for (let text = ""; !text.includes(`round-${round}.`);) text = text.slice(-20) + Buffer.from((await quick.read()).value!).toString();
    }
    await quick.cancel();
    slow.resume();
    await closed(slow);
    expect(slow.text).not.toContain(`round-${round - 1}.`);
  });

  test("a list that nobody reads is cut off", async () => {
    const client = await dial();
    client.send(get(maps));
    await client.until((each) => each.received.length > 0);
    client.pause();
    await served();
    // Nobody but this client has anything to wait for.
    await eventually(() => expect(server.connections()).toBe(0));
    client.resume();
    await closed(client);
    expect(responses(client.text)).toEqual([]);
  });

  test("connections that say nothing go, before and after a request", async () => {
    const [silent, idle] = await Promise.all([dial(), dial()]);
    idle.send(get("/version"));
    await closed(silent, idle);
    expect([silent.text, responses(idle.text).map(({ status }) => status)]).toEqual(["", [200]]);
  });
});

describe("clients that want much", () => {
  test("an address has so many connections and no more", async () => {
    for (const client of open) client.destroy();
    open.clear();
    const clients = await Promise.all(Array.from({ length: 70 }, () => dial().catch(() => undefined)));
    await eventually(() => expect(clients.filter((client) => client && !client.closed).length).toBeLessThanOrEqual(60));
    for (const client of clients) client?.destroy();
    await eventually(served);
  });

  test.each([
    ["a long URL", `GET /api/v1/pods?labelSelector=${"a".repeat(200_000)} HTTP/1.1\r\nHost: x\r\n\r\n`, 414],
    ["many fields", `GET /version HTTP/1.1\r\nHost: x\r\n${"X: 1\r\n".repeat(200)}\r\n`, 431],
    ["a large field", `GET /version HTTP/1.1\r\nHost: x\r\nX: ${"1".repeat(200_000)}\r\n\r\n`, 431],
    ["a body that is too long", `POST ${maps} HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n`, 413],
  ])("%s is refused", async (_, bytes, status) => {
    const client = await dial();
    client.send(bytes);
    await closed(client);
    expect(responses(client.text).map((each) => each.status)).toEqual([status]);
  });

  test("a label selector of 60 KB is served", async () => {
    const client = await dial();
    const values = Array.from({ length: 9000 }, (_, i) => `v${i}`).join(",");
    client.send(`GET /api/v1/namespaces/default/configmaps?labelSelector=${encodeURIComponent(`a in (${values})`)} HTTP/1.1\r\nHost: x\r\n\r\n`);
    await client.until((each) => responses(each.text).length === 1);
    expect(responses(client.text)[0]!.status).toBe(200);
    client.destroy();
  });

  test("requests one behind the other without waiting are served in their order", async () => {
    const client = await dial();
    client.send(Array.from({ length: 300 }, (_, i) => `GET /api/v1/namespaces/default/configmaps/none${i} HTTP/1.1\r\nHost: x\r\n\r\n`).join(""));
    await client.until((each) => responses(each.text).length === 300);
    expect(responses(client.text).map(({ body }) => (JSON.parse(body) as { details: { name: string } }).details.name)).toEqual(Array.from({ length: 300 }, (_, i) => `none${i}`));
    client.destroy();
  });
});

describe("requests within requests", () => {
  const smuggled = `DELETE ${maps}/big1 HTTP/1.1\r\nHost: x\r\n\r\n`;
  test.each([
    ["both lengths", `POST ${maps} HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ["two lengths", `POST ${maps} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`],
    ["a length with a sign", `POST ${maps} HTTP/1.1\r\nHost: x\r\nContent-Length: +0\r\n\r\n${smuggled}`],
    ["a coding in disguise", `POST ${maps} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ["a coding after white space", `POST ${maps} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n${smuggled}`],
    ["a folded field", `POST ${maps} HTTP/1.1\r\nHost: x\r\nX: y\r\n Content-Length: 0\r\n\r\n${smuggled}`],
    ["a bare line feed", `POST ${maps} HTTP/1.1\nHost: x\nContent-Length: 0\n\n${smuggled}`],
    ["a chunk with a sign", `POST ${maps} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n${smuggled}`],
    ["an absolute URL", `GET https://other${maps} HTTP/1.1\r\nHost: x\r\n\r\n${smuggled}`],
    ["two hosts", `GET /version HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n${smuggled}`],
  ])("%s: one refusal, and nothing behind it is read", async (_, bytes) => {
    const client = await dial();
    client.send(bytes);
    await closed(client);
    expect(responses(client.text)).toHaveLength(1);
    expect(responses(client.text)[0]!.status).toBeGreaterThanOrEqual(400);
    expect((await server.fetch(`${maps}/big1`)).status).toBe(200);
  });

  test("a body is a body, whatever it says", async () => {
    const client = await dial();
    client.send(`GET /version HTTP/1.1\r\nHost: x\r\nContent-Length: ${smuggled.length}\r\n\r\n${smuggled}`);
    await client.until((each) => responses(each.text).length > 0);
    client.send(get("/version"));
    await Promise.race([closed(client), client.until((each) => responses(each.text).length === 2)]);
    expect(responses(client.text).every(({ status }) => status === 200)).toBe(true);
    expect((await server.fetch(`${maps}/big1`)).status).toBe(200);
    client.destroy();
  });
});

describe("time", () => {
  test("a request has as long as its client says", async () => {
    await slowCreations();
    const answer = await server.fetch(`${maps}?timeout=200ms`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ metadata: { name: "late" } }) });
    expect([answer.status, await answer.json()]).toMatchObject([504, { reason: "Timeout", message: "Timeout: request did not complete within the allotted timeout" }]);
  });

  test("a server that stops says so first, ends watches, and finishes what it has begun", async () => {
    await slowCreations();
    const watch = await server.fetch(`${maps}?watch=1&fieldSelector=metadata.name%3Dnone`);
    const ended = watch.text();
    const creation = server.fetch(maps, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ metadata: { name: "begun" } }) });
    await eventually(() => expect(hooks.requests.get("/slow")!.some(({ name }) => name === "begun")).toBe(true));
    server.beginStop();
    const ready = await server.fetch("/readyz?verbose");
    expect([ready.status, await ready.text()]).toEqual([500, expect.stringContaining("[-]shutdown failed: reason withheld")]);
    expect((await server.fetch("/livez")).status).toBe(200);
    expect(await ended).toBe("");
    expect((await creation).status).toBe(201);
  });

  async function slowCreations(): Promise<void> {
    const webhook = { name: "slow.example.com", clientConfig: { url: hooks.url("/slow"), caBundle: hooks.caBundle }, rules: [{ operations: ["CREATE" as const], apiGroups: [""], apiVersions: ["v1"], resources: ["configmaps"] }], sideEffects: "None" as const, admissionReviewVersions: ["v1"] };
    await server.client().deleteCollection(validatingwebhookconfigurations);
    await server.client().create(validatingwebhookconfigurations, { metadata: { name: "slow" }, webhooks: [webhook] });
  }
});
