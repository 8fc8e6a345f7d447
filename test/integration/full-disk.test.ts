import { afterEach, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { closeSync, existsSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { ApiConnection } from "../bench/api-connection.ts";
import { CrashServer, fromSource } from "../crash/crash-server.ts";
import { eventually } from "../support/eventually.ts";
import { TestDisk } from "../support/fuse/disk.ts";

setDefaultTimeout(180_000);

const mebibyte = 2 ** 20;
const maps = "/api/v1/namespaces/default/configmaps";

let disk: TestDisk;
let server: CrashServer;
let api: ApiConnection;
beforeEach(async () => {
  disk = await TestDisk.mount();
  await disk.setFaults({ capacity: 48 * mebibyte });
  server = new CrashServer({ command: fromSource, dataDir: `${disk.path}/data`, samePort: true });
  await start();
});
afterEach(async () => {
  api.close();
  await server.dispose();
  await disk.dispose();
});

async function start(): Promise<void> {
  api = await ApiConnection.open(await server.start());
}

interface Answer { status: number; reason?: string; message?: string }

async function ask(method: string, name: string, bytes?: number): Promise<Answer> {
  // Nothing that could be packed to less.
  const body = bytes === undefined ? undefined : JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data: { text: randomBytes(bytes).toString("base64").slice(0, bytes) } });
  const { status, body: answer } = await api.request(method, method === "POST" ? maps : `${maps}/${name}`, body);
  if (status < 400) return { status };
  const { reason, message } = JSON.parse(answer.toString()) as Answer;
  return { status, reason, message };
}
const create = (name: string, bytes: number): Promise<Answer> => ask("POST", name, bytes);

/** Creates ConfigMaps until one is refused. */
async function fill(prefix: string, bytes: number): Promise<{ names: string[]; refusal: Answer }> {
  const names: string[] = [];
  for (;;) {
    const name = `${prefix}-${names.length}`, answer = await create(name, bytes);
    if (answer.status !== 201) return { names, refusal: answer };
    names.push(name);
  }
}

/** Another program writes until nothing more fits. Returns how to undo it. */
function fillFromOutside(): () => void {
  const path = join(disk.path, "filler"), file = openSync(path, "w");
  for (const size of [mebibyte, 4096]) {
    try {
      for (;;) writeSync(file, Buffer.alloc(size));
    } catch (error) {
      expect((error as NodeJS.ErrnoException).code).toBe("ENOSPC");
    }
  }
  closeSync(file);
  return () => rmSync(path);
}

/** What the server has told of its datastore by Events. */
async function told(): Promise<string[]> {
  const { body } = await api.request("GET", "/api/v1/namespaces/kube-system/events");
  return (JSON.parse(body.toString()) as { items: { reason: string; source: { component: string } }[] }).items.filter(({ source }) => source.component === "datastore").map(({ reason }) => reason);
}

const expectThere = async (names: readonly string[]): Promise<void> => {
  for (const name of names) expect({ name, ...await ask("GET", name) }).toEqual({ name, status: 200 });
};

describe("a disk that", () => {
  test("clients fill: they are told so, what was answered is there, and deleting makes room", async () => {
    const { names, refusal } = await fill("map", 400_000);
    expect(names.length).toBeGreaterThan(5);
    expect(refusal).toMatchObject({ status: 507, reason: "InsufficientStorage", message: expect.stringContaining("full") });
    await expectThere(names);
    await eventually(async () => expect(await told()).toContain("DatabaseFull"));
    for (const name of names.splice(0, 4)) expect(await ask("DELETE", name)).toEqual({ status: 200 });
    await server.kill();
    await start();
    await expectThere(names);
    for (const name of names.splice(0, names.length / 2)) expect(await ask("DELETE", name)).toEqual({ status: 200 });
    await eventually(async () => expect(await create("again", 1000)).toEqual({ status: 201 }), { timeout: 60_000, interval: 200 });
    await expectThere(names);
  });

  test("another program fills: writes are refused, reads go on, also after a crash, and writes go on by themselves when there is room", async () => {
    const before = Array.from({ length: 20 }, (_, i) => `before-${i}`);
    for (const name of before) expect(await create(name, 2000)).toEqual({ status: 201 });
    const makeRoom = fillFromOutside();
    const { names, refusal } = await fill("during", 20_000);
    expect(refusal).toMatchObject({ status: 507, reason: "InsufficientStorage" });
    await expectThere([...before, ...names]);
    await server.kill();
    await start();
    await expectThere([...before, ...names]);
    for (const name of before.splice(0, 5)) expect(await ask("DELETE", name)).toEqual({ status: 200 });
    await eventually(async () => expect(await told()).toEqual(["DatabaseFull"]));
    makeRoom();
    await eventually(async () => expect(await create("after", 20_000)).toEqual({ status: 201 }), { timeout: 60_000, interval: 200 });
    await eventually(async () => expect(await told()).toEqual(["DatabaseFull", "DatabaseHasRoom"]));
    await expectThere([...before, ...names, "after"]);
  });

  test("is full doesn't keep the server from starting at another port, which the cluster is told of when there is room", async () => {
    const makeRoom = fillFromOutside();
    const { names } = await fill("map", 20_000);
    await server.kill();
    api.close();
    const moved = new CrashServer({ command: fromSource, dataDir: `${disk.path}/data` });
    try {
      const credentials = await moved.start();
      api = await ApiConnection.open(credentials);
      await expectThere(names);
      expect((await create("more", 20_000)).status).toBe(507);
      makeRoom();
      await eventually(async () => expect(await create("more", 20_000)).toEqual({ status: 201 }), { timeout: 60_000, interval: 200 });
      await eventually(async () => {
        const { body } = await api.request("GET", "/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/kubernetes");
        expect((JSON.parse(body.toString()) as { ports: unknown }).ports).toMatchObject([{ port: credentials.port }]);
      });
    } finally {
      await moved.dispose();
    }
  });

  test("is full takes no new key for Secrets, says so, and does when there is room", async () => {
    const change = async (action: string): Promise<unknown> => {
      const { status, body } = await api.request("POST", "/v1-skiff/encryption", JSON.stringify({ action }));
      return { ...(JSON.parse(body.toString()) as object), status };
    };
    const makeRoom = fillFromOutside();
    expect(await change("enable")).toMatchObject({
      status: 507, reason: "InsufficientStorage",
      message: "the server can't store more: the disk of its data directory is full: free some space, and ask again; nothing has been changed",
    });
    expect(existsSync(join(disk.path, "data/server/cred/encryption-config.json.tmp"))).toBe(false);
    makeRoom();
    expect(await change("enable")).toMatchObject({ status: 200, enabled: true });
  });

  test.each(["write", "fsync"] as const)("fails each %s: writes are refused, reads go on, and what was answered is there when it is well again", async (operation) => {
    const names = Array.from({ length: 10 }, (_, i) => `before-${i}`);
    for (const name of names) expect(await create(name, 2000)).toEqual({ status: 201 });
    await disk.setFaults({ fail: { [operation]: "EIO" } });
    for (let i = 0; i < 5; i++) {
      const { status } = await create(`during-${i}`, 2000);
      expect(status).toBeGreaterThanOrEqual(500);
    }
    await expectThere(names);
    await disk.setFaults({});
    await eventually(async () => expect(await create("after", 2000)).toEqual({ status: 201 }), { timeout: 60_000, interval: 200 });
    await disk.powerOff();
    await server.kill();
    await disk.remount();
    await start();
    await expectThere([...names, "after"]);
  });
});
