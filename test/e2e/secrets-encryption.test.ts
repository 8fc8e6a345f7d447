import { Database } from "bun:sqlite";
import { afterAll, beforeAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, renameSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { eventually } from "../support/eventually.ts";
import { TestSkiff } from "../support/skiff.ts";

const skiff = new TestSkiff({ flags: ["--disable-agent"] });
const { kubectl, layout } = skiff;
const word = "correct-horse-battery-staple", encoded = Buffer.from(word).toString("base64");
const databaseDirectory = dirname(layout.databaseFile);

beforeAll(() => skiff.start({ node: false }));
afterAll(() => skiff.dispose());

/** The database's files that have the Secrets' content in plain. */
const inPlain = (): string[] => readdirSync(databaseDirectory, { withFileTypes: true }).filter((entry) => entry.isFile()).map(({ name }) => name).filter((file) => contentOf(join(databaseDirectory, file)).includes(encoded));
/** Nothing of a file that has gone meanwhile. */
function contentOf(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return Buffer.alloc(0);
    throw error;
  }
}
/** All that a stopped server has written of objects. That it was in use meanwhile is marked beside them. */
function stored(): unknown[] {
  const database = new Database(layout.databaseFile, { readonly: true });
  try {
    return ["log", "current"].flatMap((table) => database.query(`SELECT * FROM ${table} ORDER BY 1`).all());
  } finally {
    database.close();
  }
}
const encrypt = async (...args: string[]): Promise<string> => {
  const { exitCode, stdout, stderr } = await skiff.command("secrets-encrypt", ...args, "--data-dir", layout.dataDir);
  if (exitCode !== 0) throw new Error(stderr);
  return stdout;
};
const secretOf = async (name: string): Promise<string> => (await kubectl("get", "secret", name, "-o", "jsonpath={.data.word}")).trim();

test("enabled while serving: Secrets old and new lie encrypted, and are served as before", async () => {
  for (let n = 0; n < 5; n++) await kubectl("create", "secret", "generic", `old-${n}`, `--from-literal=word=${word}`);
  expect(inPlain()).not.toEqual([]);
  expect(await encrypt("status")).toContain("Encryption   disabled");
  expect(await encrypt("enable")).toMatch(/^Encryption   enabled \(secrets\)\nOn disk      up to date\nKey          aes-\S+  AES-256-GCM  encrypts  made \S+\n$/);
  expect(inPlain()).toEqual([]);
  await kubectl("create", "secret", "generic", "new", `--from-literal=word=${word}`);
  await kubectl("annotate", "secret", "old-1", "touched=yes");
  expect(inPlain()).toEqual([]);
  for (const name of ["old-0", "old-1", "new"]) expect(await secretOf(name)).toBe(encoded);
  expect(statSync(layout.encryptionFile).mode & 0o777).toBe(0o600);
});

test("a new key takes over, and the old one is forgotten", async () => {
  const [, before] = /(aes-\S+)/.exec(await encrypt("status"))!;
  const [, after, ...others] = [...(await encrypt("rotate-keys")).matchAll(/(aes-\S+)/g)].flatMap(([name]) => ["", name]);
  expect(after).not.toBe(before!);
  expect(others).toEqual([]);
  expect(readFileSync(layout.encryptionFile, "utf8")).not.toContain(before!);
  expect(await secretOf("old-2")).toBe(encoded);
});

test("killed while it rotates, it goes on with that", async () => {
  const rotating = encrypt("rotate-keys").catch(() => undefined);
  await eventually(async () => expect(JSON.parse(readFileSync(layout.encryptionFile, "utf8")).keys.length).toBeGreaterThan(1), { interval: 1 }).catch(() => undefined);
  await skiff.kill9();
  await rotating;
  await skiff.start({ node: false });
  await eventually(async () => expect(await encrypt("status")).toMatch(/On disk      up to date\nKey  [^\n]*\n$/));
  for (const name of ["old-0", "old-4", "new"]) expect(await secretOf(name)).toBe(encoded);
  expect(inPlain()).toEqual([]);
});

test("without its key file, or with a damaged one, the server says so and touches nothing", async () => {
  await skiff.stop();
  const kept = `${layout.encryptionFile}.kept`, before = stored();
  renameSync(layout.encryptionFile, kept);
  const missing = await skiff.command(...skiff.serverCommand().slice(1));
  expect(missing).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/is encrypted with the key aes-\S+, which this server does not have: restore its key file/) });
  writeFileSync(layout.encryptionFile, "{");
  expect(await skiff.command(...skiff.serverCommand().slice(1))).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("restore that file from a backup") });
  expect(readFileSync(layout.encryptionFile, "utf8")).toBe("{");
  expect(before.length).toBeGreaterThan(100);
  expect(stored()).toEqual(before);
  renameSync(kept, layout.encryptionFile);
  await skiff.start({ node: false });
  expect(await secretOf("new")).toBe(encoded);
});

test("disabled, Secrets lie in plain again; a flag at start enables it", async () => {
  expect(await encrypt("disable")).toContain("Encryption   disabled\nOn disk      up to date");
  expect(inPlain()).not.toEqual([]);
  await skiff.stop();
  await skiff.start({ node: false, flags: ["--secrets-encryption"] });
  await eventually(async () => expect(await encrypt("status")).toContain("On disk      up to date"));
  expect(inPlain()).toEqual([]);
  expect(await encrypt("disable")).toContain("Next start   encrypts again, for secrets-encryption is among the server's settings");
  const refused = await skiff.command("secrets-encrypt", "rotate-keys", "--data-dir", join(skiff.directory, "nowhere"));
  expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining("no server has run with") });
});
