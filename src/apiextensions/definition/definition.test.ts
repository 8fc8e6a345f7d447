import { describe, expect, test } from "bun:test";
import type { CustomResourceDefinition } from "../../apis/generated/apiextensions/v1.ts";
import { packDefinition, packedForm, schemaOf, unpackDefinition, type PackedDefinition } from "./packing.ts";
import { planStatus } from "./plan.ts";

const now = "2026-01-01T00:00:00Z";
const definition = (plural: string, names: object = {}, status: object = {}, metadata: object = {}): PackedDefinition => ({
  metadata: { name: `${plural}.example.com`, ...metadata },
  spec: { group: "example.com", scope: "Namespaced", names: { plural, singular: plural.slice(0, -1), kind: plural.toUpperCase(), listKind: `${plural.toUpperCase()}List`, ...names }, versions: [] },
  status: { conditions: [], acceptedNames: { plural: "", kind: "" }, storedVersions: ["v1"], ...status },
});
const accepted = (one: PackedDefinition): PackedDefinition => ({ ...one, status: { ...one.status!, ...planStatus(one, [], now) } });
const conditions = (planned: ReturnType<typeof planStatus>): string[] => (planned?.conditions ?? []).map(({ type, status, reason, message }) => `${type}=${status} ${reason}: ${message}`);

describe("the status of a definition", () => {
  test("is accepted and established at once", () => {
    const planned = planStatus(definition("tabs", { shortNames: ["t"] }), [], now);
    expect(conditions(planned)).toEqual(["NamesAccepted=True NoConflicts: no conflicts found", "Established=True InitialNamesAccepted: the initial names have been accepted"]);
    expect(planned!.acceptedNames).toEqual({ plural: "tabs", singular: "tab", kind: "TABS", listKind: "TABSList", shortNames: ["t"] });
    expect(planStatus(accepted(definition("tabs")), [], "2027-01-01T00:00:00Z")).toBeUndefined();
  });
  const other = accepted(definition("others", { shortNames: ["o"] }));
  const table: [name: string, names: object, expected: string][] = [
    ["a plural that is another's short name", { plural: "o" }, "PluralConflict: \"o\" is already in use"],
    ["a singular", { singular: "other" }, "SingularConflict: \"other\" is already in use"],
    ["a short name", { shortNames: ["x", "o"] }, "ShortNamesConflict: \"o\" is already in use"],
    ["a kind", { kind: "OTHERS" }, "KindConflict: \"OTHERS\" is already in use"],
    ["a list kind", { listKind: "OTHERSList" }, "ListKindConflict: \"OTHERSList\" is already in use"],
  ];
  for (const [name, names, expected] of table) {
    test(`tells of conflicts: ${name}`, () => {
      const planned = planStatus(definition("tabs", names), [other], now);
      expect(conditions(planned)).toEqual([`NamesAccepted=False ${expected}`, "Established=False NotAccepted: not all names are accepted"]);
    });
  }
  test("stays established when new names conflict, and keeps those it had", () => {
    const mine = accepted(definition("tabs", { shortNames: ["t"] }));
    const planned = planStatus({ ...mine, spec: { ...mine.spec, names: { ...mine.spec.names, shortNames: ["o"] } } }, [other, mine], now);
    expect(conditions(planned)).toEqual(["NamesAccepted=False ShortNamesConflict: \"o\" is already in use", "Established=True InitialNamesAccepted: the initial names have been accepted"]);
    expect(planned!.acceptedNames!.shortNames).toEqual(["t"]);
  });
  test("does not mind other groups", () => {
    const elsewhere = { ...other, spec: { ...other.spec, group: "elsewhere.example.com" } };
    expect(conditions(planStatus(definition("tabs", { kind: "OTHERS" }), [elsewhere], now))[0]).toBe("NamesAccepted=True NoConflicts: no conflicts found");
  });
  test("says where an API of Kubernetes' own groups was approved", () => {
    const mine = (annotations: Record<string, string>): PackedDefinition => {
      const one = definition("tabs", {}, {}, { annotations });
      return { ...one, spec: { ...one.spec, group: "x.k8s.io" } };
    };
    expect(conditions(planStatus(mine({ "api-approved.kubernetes.io": "https://github.com/kubernetes/kubernetes/pull/1" }), [], now))[2]).toBe("KubernetesAPIApprovalPolicyConformant=True ApprovedAnnotation: approved in https://github.com/kubernetes/kubernetes/pull/1");
    expect(conditions(planStatus(mine({ "api-approved.kubernetes.io": "unapproved, testing" }), [], now))[2]).toBe("KubernetesAPIApprovalPolicyConformant=False UnapprovedAnnotation: not approved: \"unapproved, testing\"");
    expect(conditions(planStatus(mine({}), [], now))[2]).toStartWith("KubernetesAPIApprovalPolicyConformant=False MissingAnnotation: protected groups must have approval annotation");
  });
});

describe("packing", () => {
  const large = { type: "object", properties: Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`field${i}`, { type: "string", description: "The same words again and again." }])) };
  const whole: CustomResourceDefinition = {
    apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition",
    metadata: { name: "tabs.example.com", annotations: { "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify(large), other: "x" }, managedFields: [{ manager: "m", fieldsV1: { large } as never }] },
    spec: { group: "example.com", scope: "Namespaced", names: { plural: "tabs", kind: "Tab" }, versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: large } }, { name: "v2", served: true, storage: false, schema: { openAPIV3Schema: { type: "object" } } }] },
  };
  test("keeps everything, in a fraction of the room", () => {
    const packed = packDefinition(structuredClone(whole));
    expect(JSON.stringify(packed).length).toBeLessThan(JSON.stringify(whole).length / 5);
    expect(packed.metadata.annotations).toEqual({ other: "x" });
    expect(packed.spec.versions[1]!.schema).toEqual({ openAPIV3Schema: { type: "object" } });
    expect(schemaOf(packed.spec.versions[0]!)).toEqual(large);
    expect(unpackDefinition(packed as never)).toEqual(whole);
  });
  test("gives the same definition for the same stored one", () => {
    const form = packedForm(), stored = form.write(structuredClone(whole)) as never;
    const [first] = form.read([stored]) as never[], [second] = form.read([stored]) as never[];
    expect(first).toEqual(whole as never);
    expect(second).toBe(first!);
  });
});
