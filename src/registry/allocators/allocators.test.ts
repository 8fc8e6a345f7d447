import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { thaw } from "../../apimachinery/meta.ts";
import { services } from "../../apis/builtins.ts";
import type { Service, ServiceSpec } from "../../apis/generated/core/v1.ts";
import { refused } from "../../../test/contract/client-samples.ts";
import { startRegistry } from "../testing/fixture.ts";
import { ClusterIps } from "./cluster-ips.ts";
import { Pool, reservedBand } from "./pool.ts";

const service = (name: string, spec: ServiceSpec = {}): Service => ({ metadata: { name, namespace: "default" }, spec: { ports: [{ port: 80 }], ...spec } });

describe("Pool", () => {
  test("hands out each number once, the upper band first, and never what is to be avoided", () => {
    const pool = new Pool(10, { lower: 4, avoid: new Set([7]), random: () => 0 });
    expect(Array.from({ length: 10 }, () => pool.next())).toEqual([4, 5, 6, 8, 9, 0, 1, 2, 3, undefined]);
    pool.unreserve(6);
    expect(pool.next()).toBe(6);
  });

  test("a holder keeps its number; a reservation ends", () => {
    const pool = new Pool(4, { lower: 0, random: () => 0 });
    pool.hold(2, "a");
    expect([pool.isFree(2, "a"), pool.isFree(2, "b")]).toEqual([true, false]);
    pool.release(2, "b");
    expect(pool.isFree(2, "b")).toBe(false);
    pool.release(2, "a");
    pool.reserve(2);
    expect(pool.isFree(2, "b")).toBe(false);
    pool.unreserve(2);
    expect(pool.isFree(2, "b")).toBe(true);
  });

  test.each([[65_536, 256], [256, 16], [16, 0]])("the band for explicit use of %d addresses is %d", (size, expected) => {
    expect(reservedBand(size, { least: 16, divisor: 16, most: 256 })).toBe(expected);
  });

  test("a small range of addresses runs full", () => {
    const ips = new ClusterIps({ serviceCidr: "10.0.0.0/29", reserved: ["10.0.0.2"] });
    const given = new Set(Array.from({ length: 5 }, () => ips.allocate()));
    expect(given).toEqual(new Set(["10.0.0.1", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"]));
    expect(ips.allocate()).toBeUndefined();
    expect(() => new ClusterIps({ serviceCidr: "10.0.0.0" })).toThrow("is not a network");
  });

  test("of an IPv6 network the last address is one to give, and a large one is no slower", () => {
    const ips = new ClusterIps({ serviceCidr: "fd00::/125", reserved: ["fd00::2"] });
    expect(Array.from({ length: 7 }, () => ips.allocate()).toSorted()).toEqual(["fd00::1", "fd00::3", "fd00::4", "fd00::5", "fd00::6", "fd00::7", undefined]);
    const large = new ClusterIps({ serviceCidr: "fd00:43::/64" });
    expect(large.allocate()).toStartWith("fd00:43::");
    expect([large.claim("fd00:43::5", "a"), large.claim("FD00:43:0::5", "b"), large.claim("fd00:44::5", "b")]).toEqual([undefined, "provided IP is already allocated", "the provided IP (fd00:44::5) is not in the valid range. The range of valid IPs is fd00:43::/64"]);
  });
});

describe("services", () => {
  test("a wanted address is honoured, once, and free again after deletion", async () => {
    await using f = await startRegistry();
    await f.client.create(services, service("a", { clusterIP: "10.43.0.10" }));
    const error = await refused(f.client.create(services, service("b", { clusterIP: "10.43.0.10" })));
    expect(error.code).toBe(422);
    expect(error.message).toBe('Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.43.0.10"]: failed to allocate IP 10.43.0.10: provided IP is already allocated');
    await f.client.delete(services, { namespace: "default", name: "a" });
    expect((await f.client.create(services, service("b", { clusterIP: "10.43.0.10" }))).spec.clusterIPs).toEqual(["10.43.0.10"]);
  });

  test.each(["10.42.0.1", "10.43.0.0", "10.43.255.255"])("%s is out of range", async (clusterIP) => {
    await using f = await startRegistry();
    expect((await refused(f.client.create(services, service("a", { clusterIP })))).message).toContain(`the provided IP (${clusterIP}) is not in the valid range. The range of valid IPs is 10.43.0.0/16`);
  });

  test("a failed creation and a dry run take nothing", async () => {
    await using f = await startRegistry();
    const wanted = { type: "NodePort" as const, clusterIP: "10.43.0.20", ports: [{ port: 80, nodePort: 30080 }] };
    await f.client.create(services, service("a", wanted), { dryRun: true });
    expect((await refused(f.client.create(services, service("Bad_Name", wanted)))).code).toBe(422);
    expect((await f.client.create(services, service("a", wanted))).spec.ports![0]!.nodePort).toBe(30080);
  });

  test("headless and external ones get no address", async () => {
    await using f = await startRegistry();
    const headless = await f.client.create(services, service("a", { clusterIP: "None", selector: { app: "a" } }));
    expect(headless.spec).toMatchObject({ clusterIP: "None", clusterIPs: ["None"], ipFamilies: ["IPv4"], ipFamilyPolicy: "SingleStack" });
    const external = await f.client.create(services, service("b", { type: "ExternalName", externalName: "example.com", ports: undefined }));
    expect(external.spec.clusterIP).toBeFalsy();
    expect(external.spec.ipFamilies).toBeUndefined();
  });

  test("IPv6 is refused", async () => {
    await using f = await startRegistry();
    expect((await refused(f.client.create(services, service("a", { ipFamilies: ["IPv6"] })))).message).toContain('spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster');
    expect((await refused(f.client.create(services, service("a", { ipFamilies: ["IPv5" as "IPv6"] })))).message).toBe('Service "a" is invalid: spec.ipFamilies[0]: Unsupported value: "IPv5": supported values: "IPv4", "IPv6"');
  });

  test("node ports: given, kept, shared between protocols, refused when taken or out of range, freed with the type", async () => {
    await using f = await startRegistry();
    const ports = [{ name: "tcp", port: 53, protocol: "TCP" as const }, { name: "udp", port: 53, protocol: "UDP" as const }, { name: "web", port: 80, nodePort: 30080 }];
    const made = await f.client.create(services, service("a", { type: "NodePort", ports }));
    const [tcp, udp, web] = made.spec.ports!.map(({ nodePort }) => nodePort!);
    expect(tcp).toBeGreaterThanOrEqual(30000);
    expect(tcp).toBeLessThanOrEqual(32767);
    expect(udp).toBe(tcp!);
    expect(web).toBe(30080);
    expect((await refused(f.client.create(services, service("b", { type: "NodePort", ports: [{ port: 1, nodePort: 30080 }] })))).message).toContain("spec.ports[0].nodePort: Invalid value: 30080: provided port is already allocated");
    expect((await refused(f.client.create(services, service("b", { type: "NodePort", ports: [{ port: 1, nodePort: 80 }] })))).message).toContain("provided port is not in the valid range. The range of valid ports is 30000-32767");
    const plain = thaw<Service>(made);
    plain.spec.type = "ClusterIP";
    expect((await f.client.update(services, plain)).spec.ports!.map(({ nodePort }) => nodePort)).toEqual([undefined, undefined, undefined]);
    expect((await f.client.create(services, service("b", { type: "NodePort", ports: [{ port: 1, nodePort: 30080 }] }))).spec.ports![0]!.nodePort).toBe(30080);
  });

  test("what is taken is known again after a restart", async () => {
    const directory = mkdtempSync(join(tmpdir(), "skiff-allocators-"));
    try {
      {
        await using f = await startRegistry({ directory });
        await f.client.create(services, service("a", { clusterIP: "10.43.0.10" }));
      }
      await using f = await startRegistry({ directory });
      expect((await refused(f.client.create(services, service("b", { clusterIP: "10.43.0.10" })))).message).toContain("provided IP is already allocated");
    } finally {
      rmSync(directory, { recursive: true });
    }
  });
});
