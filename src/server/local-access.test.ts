import { afterEach, beforeEach, expect, test } from "bun:test";
import { closeSync, existsSync, openSync, readFileSync, rmSync, statSync, writeSync } from "node:fs";
import { join } from "node:path";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { TestDisk } from "../../test/support/fuse/disk.ts";
import { localAccess } from "./local-access.ts";

const mebibyte = 2 ** 20, minute = 60_000;
let disk: TestDisk, text: string;
const clock = new FakeClock(), stop = new AbortController();
beforeEach(async () => {
  disk = await TestDisk.mount();
  await disk.setFaults({ capacity: 8 * mebibyte });
  text = "as it is";
});
afterEach(() => disk.dispose());

const at = (name: string): string => join(disk.path, name);
const access = (file = "kubeconfig", { mode = 0o600, disableAgent = true } = {}) =>
  localAccess({ options: { dataDir: disk.path, disableAgent, nodeName: "edge", writeKubeconfig: at(file), writeKubeconfigMode: mode }, kubeconfig: () => text, clock, stopping: stop.signal });

/** Returns how to undo it. */
function fill(): () => void {
  const file = openSync(at("filler"), "w");
  for (const size of [mebibyte, 4096, 1]) {
    expect(() => { for (;;) writeSync(file, Buffer.alloc(size)); }).toThrow("ENOSPC");
  }
  closeSync(file);
  return () => rmSync(at("filler"));
}

test("a start writes nothing that is there already, and what has changed", () => {
  access()();
  const files = ["kubeconfig", "server/kubeconfig-path", "server/node-name"];
  const written = () => files.map((name) => statSync(at(name)).ino);
  const before = written();
  access()();
  expect(written()).toEqual(before);
  access("kubeconfig", { mode: 0o644 })();
  expect(statSync(at("kubeconfig")).mode & 0o777).toBe(0o644);
  expect(written()).toEqual(before);
  text = "as it has become";
  access("kubeconfig", { disableAgent: false })();
  expect(readFileSync(at("kubeconfig"), "utf8")).toBe(text);
  expect(readFileSync(at("server/node-name"), "utf8")).toBe("edge\n");
});

test("a full disk is no hindrance: a file's own room is used, and what needs more is written later", async () => {
  access()();
  const makeRoom = fill();
  text = "another";
  access()();
  expect(readFileSync(at("kubeconfig"), "utf8")).toBe(text);
  access("new")();
  expect(existsSync(at("new"))).toBe(false);
  await clock.advance(15 * minute);
  expect(existsSync(at("new"))).toBe(false);
  makeRoom();
  await clock.advance(10 * minute);
  expect(readFileSync(at("new"), "utf8")).toBe(text);
  expect(readFileSync(at("server/kubeconfig-path"), "utf8")).toBe(`${at("new")}\n`);
  expect(clock.sleeping).toBe(0);
});

test("what is wrong otherwise is told", () => {
  access()();
  expect(() => access("server")()).toThrow("EISDIR");
});
