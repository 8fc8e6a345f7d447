import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCa } from "./pki/certificate.ts";
import { caHash } from "./pki/cluster-pki.ts";
import { ensureToken, joinSecrets, keepAgentToken, rotateToken } from "./token.ts";

const directories: string[] = [];
afterEach(() => directories.splice(0).forEach((directory) => rmSync(directory, { recursive: true })));
const { certificate: serverCa } = await createCa("server-ca", new Date(Date.now() + 86_400_000));
const newDataDir = (): string => directories[directories.push(mkdtempSync(join(tmpdir(), "skiff-token-"))) - 1]!;

test("is made once, names the CA, and nobody else can read it", () => {
  const dataDir = newDataDir();
  const token = ensureToken({ dataDir, serverCa });
  expect(token).toMatch(new RegExp(`^K10${caHash(serverCa)}::server:[0-9a-f]{32}$`));
  expect(ensureToken({ dataDir, serverCa })).toBe(token);
  expect(statSync(join(dataDir, "server/token")).mode & 0o777).toBe(0o600);
});

test("a given one is taken, whole or its secret, and may be given again", () => {
  const dataDir = newDataDir();
  const token = ensureToken({ dataDir, serverCa, given: "a-long-secret" });
  expect(token).toEndWith("::server:a-long-secret");
  for (const given of ["a-long-secret", token]) expect(ensureToken({ dataDir, serverCa, given })).toBe(token);
  expect(() => ensureToken({ dataDir, serverCa, given: "another-secret" })).toThrow(/--token is not the token of this cluster.*leave the flag out/);
  expect(ensureToken({ dataDir, serverCa, given: "another-secret", shared: true })).toBe(token);
});

test.each([["short", /at least 8 visible/], ["with a space", /visible ASCII/], ["with:a:colon", /without a colon/], ["abcdef.0123456789abcdef", /must not look like a bootstrap token/]])("%j is refused", (given, problem) => {
  expect(() => ensureToken({ dataDir: newDataDir(), serverCa, given })).toThrow(problem);
});

test("a token for agents joins beside the cluster's own, until it is given no more", () => {
  const dataDir = newDataDir();
  ensureToken({ dataDir, serverCa, given: "the-servers-own" });
  keepAgentToken({ dataDir, serverCa, given: "for-agents-only" });
  expect(joinSecrets(dataDir)).toEqual(["the-servers-own", "for-agents-only"]);
  expect(readFileSync(join(dataDir, "server/agent-token"), "utf8")).toBe(`K10${caHash(serverCa)}::node:for-agents-only\n`);
  keepAgentToken({ dataDir, serverCa });
  expect(joinSecrets(dataDir)).toEqual(["the-servers-own"]);
});

test("a rotation counts at once, for the same CA", () => {
  const dataDir = newDataDir();
  const before = ensureToken({ dataDir, serverCa });
  const after = rotateToken({ dataDir, given: "another-secret" });
  expect([after.slice(0, 67), joinSecrets(dataDir)]).toEqual([before.slice(0, 67), ["another-secret"]]);
  expect(() => rotateToken({ dataDir: newDataDir() })).toThrow(/there is no token at .*start "skiff server" first/);
});
