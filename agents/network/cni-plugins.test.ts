import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readlinkSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { linkPlugins, withoutDetection } from "./cni-plugins.ts";

let directory: string, standard: string, own: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), "skiff-plugins-"));
  [standard, own] = [join(directory, "standard"), join(directory, "own")];
  mkdirSync(standard);
  for (const name of ["ptp", "host-local"]) writeFileSync(join(standard, name), "");
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("the standard plugins are found beside ours, where they have moved to as well; a second look writes nothing", () => {
  mkdirSync(own);
  symlinkSync("/nowhere/ptp", join(own, "ptp"));
  linkPlugins(own, standard);
  expect(readdirSync(own).sort()).toEqual(["host-local", "ptp", withoutDetection]);
  expect(readlinkSync(join(own, "ptp"))).toBe(join(standard, "ptp"));
  const before = statSync(own).mtimeMs + statSync(join(own, withoutDetection)).mtimeMs;
  linkPlugins(own, standard);
  expect(statSync(own).mtimeMs + statSync(join(own, withoutDetection)).mtimeMs).toBe(before);
});

test("no standard plugins: the runtime will say so", () => {
  linkPlugins(own, join(directory, "absent"));
  expect(readdirSync(own)).toEqual([withoutDetection]);
});

test("our plugin switches duplicate detection off in the pod's network, and nowhere else", () => {
  linkPlugins(own, standard);
  const accepts = "cat /proc/sys/net/ipv6/conf/default/accept_dad";
  const script = `echo 1 > /proc/sys/net/ipv6/conf/default/accept_dad
    unshare --net sleep 100 & pod=$!
    while [ "$(readlink /proc/$pod/ns/net)" = "$(readlink /proc/self/ns/net)" ]; do :; done
    echo '{}' | CNI_COMMAND=ADD CNI_NETNS=/proc/$pod/ns/net ${own}/${withoutDetection} >&2
    echo "$(nsenter --net=/proc/$pod/ns/net ${accepts}) $(${accepts})"
    kill $pod`;
  const { stdout, stderr, exitCode } = Bun.spawnSync(["unshare", "--net", "sh", "-c", script]);
  expect([stdout.toString().trim(), exitCode]).toEqual(["0 1", 0]);
  expect(JSON.parse(stderr.toString())).toEqual({ cniVersion: "0.4.0", interfaces: [], ips: [] });
  const version = Bun.spawnSync([join(own, withoutDetection)], { env: { ...process.env, CNI_COMMAND: "VERSION" } });
  expect(JSON.parse(version.stdout.toString()).supportedVersions).toContain("0.4.0");
  expect(Bun.spawnSync([join(own, withoutDetection)], { env: { ...process.env, CNI_COMMAND: "DEL" } }).exitCode).toBe(0);
});
