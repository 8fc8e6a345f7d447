import { afterEach, expect, test } from "bun:test";
import { X509Certificate } from "node:crypto";
import { mkdtempSync, readdirSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { caHash, ensurePki } from "./cluster-pki.ts";

const directories: string[] = [];
afterEach(() => directories.splice(0).forEach((d) => rmSync(d, { recursive: true })));

const day = 24 * 3600 * 1000;
const builtAt = Date.UTC(2026, 10, 1);
function options(overrides: Partial<Parameters<typeof ensurePki>[0]> = {}) {
  const directory = join(mkdtempSync(join(tmpdir(), "skiff-pki-")), "tls");
  directories.push(directory);
  return { directory, servingNames: ["kubernetes", "127.0.0.1"], nodeName: "n1", nodeAddresses: ["10.0.0.1"], now: Date.UTC(2026, 10, 21), builtAt, ...overrides };
}

test("a second start finds everything, with private files", async () => {
  const where = options();
  const first = await ensurePki(where);
  const second = await ensurePki(where);
  expect(first.renewed).toBe(true);
  expect(second).toEqual({ ...first, renewed: false });
  for (const file of readdirSync(where.directory)) expect(statSync(join(where.directory, file)).mode & 0o777).toBe(0o600);
});

test("leaves are signed by their CA, with usage, groups and names", async () => {
  const pki = await ensurePki(options());
  const serving = new X509Certificate(pki.serving.certificate);
  expect(serving.verify(new X509Certificate(pki.serverCa.certificate).publicKey)).toBe(true);
  expect(serving.checkHost("kubernetes")).toBe("kubernetes");
  expect(serving.checkIP("127.0.0.1")).toBe("127.0.0.1");
  expect(new X509Certificate(pki.admin.certificate).subject).toBe("O=system:masters\nCN=system:admin");
});

test("a new name renews the serving certificate only, and no CA", async () => {
  const where = options();
  const before = await ensurePki(where);
  const after = await ensurePki({ ...where, servingNames: [...where.servingNames, "edge.example"] });
  expect(after.serving).not.toEqual(before.serving);
  expect(after.admin).toEqual(before.admin);
  expect(caHash(after.serverCa.certificate)).toBe(caHash(before.serverCa.certificate));
});

test("a leaf that ends soon is renewed: years in a drawer are one restart", async () => {
  const where = options();
  const before = await ensurePki(where);
  const later = where.now + 3 * 365 * day;
  const after = await ensurePki({ ...where, now: later });
  expect(after.renewed).toBe(true);
  expect(new Date(new X509Certificate(after.admin.certificate).validTo).getTime()).toBeGreaterThan(later + 300 * day);
  expect(after.serverCa).toEqual(before.serverCa);
});

test("a clock at 1970 makes certificates that are valid then and now", async () => {
  const pki = await ensurePki(options({ now: 5000 }));
  const serving = new X509Certificate(pki.serving.certificate);
  expect(new Date(serving.validFrom).getTime()).toBe(0);
  expect(new Date(serving.validTo).getTime()).toBeGreaterThan(builtAt + 300 * day);
});
