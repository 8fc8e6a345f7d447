import { describe, expect, test } from "bun:test";
import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { services } from "../../apis/builtins.ts";
import type { Service, ServiceSpec } from "../../apis/generated/core/v1.ts";
import { refused } from "../../../test/contract/client-samples.ts";
import { startRegistry } from "../testing/fixture.ts";

const dual = ["10.43.0.0/16", "fd00:43::/112"];
const service = (spec: ServiceSpec = {}): Service => ({ metadata: { name: "web", namespace: "default" }, spec: { ports: [{ port: 80 }], selector: { app: "web" }, ...spec } });

/** What a service becomes: its policy, its families, and of which family its addresses are. */
const shape = ({ spec: { ipFamilyPolicy, ipFamilies, clusterIP, clusterIPs } }: Frozen<Service>): string => {
  expect(clusterIP).toBe(clusterIPs![0]!);
  return `${ipFamilyPolicy} ${ipFamilies!.join()} ${clusterIPs!.map((ip) => (ip === "None" ? ip : ip.includes(":") ? "6" : "4")).join()}`;
};

describe("created", () => {
  test.each<[cidrs: string[], spec: ServiceSpec, expected: string]>([
    [dual, {}, "SingleStack IPv4 4"],
    [dual.toReversed(), {}, "SingleStack IPv6 6"],
    [dual, { ipFamilies: ["IPv6"] }, "SingleStack IPv6 6"],
    [dual, { ipFamilyPolicy: "PreferDualStack" }, "PreferDualStack IPv4,IPv6 4,6"],
    [dual, { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv6"] }, "RequireDualStack IPv6,IPv4 6,4"],
    [dual, { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv6", "IPv4"] }, "RequireDualStack IPv6,IPv4 6,4"],
    [dual, { clusterIP: "fd00:43::7" }, "SingleStack IPv6 6"],
    [dual, { ipFamilyPolicy: "PreferDualStack", clusterIP: "fd00:43::7", clusterIPs: ["fd00:43::7", "10.43.0.7"] }, "PreferDualStack IPv6,IPv4 6,4"],
    [dual, { ipFamilyPolicy: "PreferDualStack", clusterIP: "None" }, "PreferDualStack IPv4,IPv6 None"],
    [dual, { clusterIP: "None" }, "SingleStack IPv4 None"],
    [dual, { clusterIP: "None", selector: undefined }, "RequireDualStack IPv4,IPv6 None"],
    [dual.slice(0, 1), { ipFamilyPolicy: "PreferDualStack" }, "PreferDualStack IPv4 4"],
    [dual.slice(0, 1), { clusterIP: "None", selector: undefined }, "RequireDualStack IPv4,IPv6 None"],
    [dual.slice(1), {}, "SingleStack IPv6 6"],
  ])("%j %j", async (serviceCidrs, spec, expected) => {
    await using f = await startRegistry({ serviceCidrs });
    expect(shape(await f.client.create(services, service(spec)))).toBe(expected);
  });

  test.each<[cidrs: string[], spec: ServiceSpec, message: string]>([
    [dual.slice(0, 1), { ipFamilyPolicy: "RequireDualStack" }, 'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services'],
    [dual.slice(0, 1), { ipFamilies: ["IPv6"] }, 'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster'],
    [dual.slice(0, 1), { clusterIP: "fd00:43::7" }, 'spec.clusterIPs[0]: Invalid value: ["fd00:43::7"]: IPv6 is not configured on this cluster'],
    [dual, { ipFamilyPolicy: "SingleStack", ipFamilies: ["IPv4", "IPv6"] }, 'spec.ipFamilyPolicy: Invalid value: "SingleStack": must be \'RequireDualStack\' or \'PreferDualStack\' when multiple IP families are specified'],
    [dual, { clusterIP: "10.43.0.7", clusterIPs: ["10.43.0.7", "fd00:43::7"] }, 'spec.ipFamilyPolicy: Invalid value: "SingleStack": must be \'RequireDualStack\' or \'PreferDualStack\' when multiple cluster IPs are specified'],
    [dual, { ipFamilies: ["IPv6"], clusterIP: "10.43.0.7" }, 'spec.clusterIPs[0]: Invalid value: "10.43.0.7": expected an IPv6 value as indicated by `ipFamilies[0]`'],
    [dual, { ipFamilies: ["IPv4", "IPv4"], ipFamilyPolicy: "PreferDualStack" }, 'spec.ipFamilies[1]: Duplicate value: "IPv4"'],
    [dual, { clusterIP: "fd00:44::7" }, "the provided IP (fd00:44::7) is not in the valid range. The range of valid IPs is fd00:43::/112"],
  ])("%j %j is refused", async (serviceCidrs, spec, message) => {
    await using f = await startRegistry({ serviceCidrs });
    expect((await refused(f.client.create(services, service(spec)))).message).toContain(message);
  });
});

describe("changed", () => {
  /** What becomes of a service, or why it doesn't. `change` has what was stored before. */
  async function changed(from: ServiceSpec, change: (spec: ServiceSpec) => void): Promise<{ before: Frozen<Service>; after?: Frozen<Service>; refusal?: string }> {
    await using f = await startRegistry({ serviceCidrs: dual });
    const before = await f.client.create(services, service(from)), next = thaw<Service>(before);
    change(next.spec);
    return await f.client.update(services, next).then((after) => ({ before, after }), (error: Error) => ({ before, refusal: error.message }));
  }

  test.each<[what: string, from: ServiceSpec, change: (spec: ServiceSpec) => void, expected: string]>([
    ["a second family", {}, (spec) => (spec.ipFamilyPolicy = "RequireDualStack"), "RequireDualStack IPv4,IPv6 4,6"],
    ["a second family if there is one", { ipFamilies: ["IPv6"] }, (spec) => (spec.ipFamilyPolicy = "PreferDualStack"), "PreferDualStack IPv6,IPv4 6,4"],
    ["one family again, by the policy alone", { ipFamilyPolicy: "RequireDualStack" }, (spec) => (spec.ipFamilyPolicy = "SingleStack"), "SingleStack IPv4 4"],
    ["one family again, with everything said", { ipFamilyPolicy: "PreferDualStack" }, (spec) => Object.assign(spec, { ipFamilyPolicy: "SingleStack", ipFamilies: ["IPv4"], clusterIPs: spec.clusterIPs!.slice(0, 1) }), "SingleStack IPv4 4"],
    ["as it was, from a manifest that says nothing of it", { ipFamilyPolicy: "RequireDualStack" }, (spec) => { for (const field of ["clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"] as const) delete spec[field]; }, "RequireDualStack IPv4,IPv6 4,6"],
    ["headless of other families", { clusterIP: "None" }, (spec) => Object.assign(spec, { ipFamilyPolicy: "PreferDualStack", ipFamilies: ["IPv6", "IPv4"] }), "PreferDualStack IPv6,IPv4 None"],
  ])("%s", async (_, from, change, expected) => {
    const { before, after, refusal } = await changed(from, change);
    expect(refusal).toBeUndefined();
    expect(shape(after!)).toBe(expected);
    expect(after!.spec.clusterIP).toBe(before.spec.clusterIP!);
  });

  test.each<[what: string, from: ServiceSpec, change: (spec: ServiceSpec) => void, message: string]>([
    ["the second address let go without saying so", { ipFamilyPolicy: "RequireDualStack" }, (spec) => (spec.clusterIPs = spec.clusterIPs!.slice(0, 1)), "must be 'SingleStack' to release the secondary cluster IP"],
    ["the second family let go without saying so", { ipFamilyPolicy: "PreferDualStack" }, (spec) => (spec.ipFamilies = ["IPv4"]), "must be 'SingleStack' to release the secondary IP family"],
    ["another first family", { ipFamilyPolicy: "RequireDualStack" }, (spec) => Object.assign(spec, { ipFamilies: ["IPv6", "IPv4"], clusterIPs: spec.clusterIPs!.toReversed(), clusterIP: spec.clusterIPs![1] }), "may not change once set"],
  ])("%s is refused", async (_, from, change, message) => {
    expect((await changed(from, change)).refusal).toContain(message);
  });

  test("an address that was let go may be another's, and one that is asked for is given", async () => {
    await using f = await startRegistry({ serviceCidrs: dual });
    const made = await f.client.create(services, service({ ipFamilyPolicy: "RequireDualStack", clusterIP: "10.43.0.7", clusterIPs: ["10.43.0.7", "fd00:43::7"] }));
    const other: Service = { ...service({ ipFamilies: ["IPv6"], clusterIP: "fd00:43::7" }), metadata: { name: "other", namespace: "default" } };
    expect((await refused(f.client.create(services, other))).message).toContain("provided IP is already allocated");
    const single = thaw<Service>(made);
    single.spec.ipFamilyPolicy = "SingleStack";
    const after = await f.client.update(services, single);
    expect(after.spec.clusterIPs).toEqual(["10.43.0.7"]);
    await f.client.create(services, other);
    const again = thaw<Service>(after);
    Object.assign(again.spec, { ipFamilyPolicy: "RequireDualStack", ipFamilies: ["IPv4", "IPv6"], clusterIPs: ["10.43.0.7", "fd00:43::8"] });
    expect((await f.client.update(services, again)).spec.clusterIPs).toEqual(["10.43.0.7", "fd00:43::8"]);
    const external = thaw<Service>(await f.client.get(services, { namespace: "default", name: "web" }));
    Object.assign(external.spec, { type: "ExternalName", externalName: "example.org" });
    expect((await f.client.update(services, external)).spec.clusterIPs).toBeUndefined();
  });
});
