import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { applySysctls, routingSysctls } from "./sysctl.ts";

let root: string;
beforeEach(() => { root = mkdtempSync(join(tmpdir(), "skiff-sysctl-")); });
afterEach(() => rmSync(root, { recursive: true, force: true }));

function kernel(settings: Record<string, string>): void {
  for (const [name, value] of Object.entries(settings)) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), `${value}\n`);
  }
}

test("IPv4 alone takes its own forwarding and leaves IPv6 as it is", () => {
  expect(routingSysctls([4], root)).toEqual([["net/ipv4/ip_forward", "1"]]);
});

test("links that have their default route from a router's advertisement keep it when this machine forwards too", () => {
  kernel({ "net/ipv6/conf/all/accept_ra": "1", "net/ipv6/conf/default/accept_ra": "1", "net/ipv6/conf/eth0/accept_ra": "1", "net/ipv6/conf/wan/accept_ra": "2", "net/ipv6/conf/off/accept_ra": "0" });
  const settings = routingSysctls([4, 6], root).map(([name, value]) => `${name}=${value}`);
  expect(settings.slice(1, 3).sort()).toEqual(["net/ipv6/conf/default/accept_ra=2", "net/ipv6/conf/eth0/accept_ra=2"]);
  expect(settings[3]).toBe("net/ipv6/conf/all/forwarding=1");
  expect(settings).toHaveLength(5);
});

test("what differs is set, and a setting that can't be is named with the command that sets it", () => {
  kernel({ "net/ipv4/ip_forward": "0" });
  applySysctls([["net/ipv4/ip_forward", "1"]], root);
  expect(readFileSync(join(root, "net/ipv4/ip_forward"), "utf8")).toBe("1");
  expect(() => applySysctls([["net/ipv6/conf/all/forwarding", "1"]], root)).toThrow(`the kernel setting net.ipv6.conf.all.forwarding must be 1 and could not be set: run "sysctl -w net.ipv6.conf.all.forwarding=1" as root`);
});
