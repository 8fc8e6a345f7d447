import { expect, test } from "bun:test";
import { exchange } from "../../test/support/http.ts";
import { badRequest } from "../apimachinery/status.ts";
import { StorageError } from "../storage/storage.ts";
import { guardAdmin } from "./admin-access.ts";

test.each([
  [503, "etcd doesn't serve", new StorageError("unavailable", "etcd doesn't serve")],
  [507, "the server can't store more: etcd is full", new StorageError("full", "etcd is full")],
  [507, "nothing has been changed", Object.assign(new Error("write"), { code: "ENOSPC" })],
  [400, "no such action", badRequest("no such action")],
  [500, "a mistake", new Error("a mistake")],
])("what goes wrong is answered as the API would: %d, %s", async (code, message, error) => {
  const guarded = guardAdmin(() => { throw error; }, { authenticators: [{ authenticate: () => ({ name: "admin", groups: [] }) }], authorizer: { authorize: () => ({ allowed: true, reason: "" }), authorizePath: () => ({ allowed: true, reason: "" }) } });
  const { answer, done } = exchange(guarded, { url: "/v1-skiff/encryption", method: "POST" });
  await done;
  expect(answer.status).toBe(code);
  expect(JSON.parse(answer.text())).toMatchObject({ kind: "Status", code, message: expect.stringContaining(message) });
});
