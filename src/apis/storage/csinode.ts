import { semanticEqual } from "../../apimachinery/equality.ts";
import { duplicate, invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { labelName, nonNegative, unique } from "../core/field-rules.ts";
import type { CSINode, CSINodeDriver } from "../generated/storage/v1.ts";
import { csiDriverName } from "../core/volume/csi-driver-name.ts";
export type { CSINode } from "../generated/storage/v1.ts";

export const csinodes = defineResource<CSINode>({
  group: "storage.k8s.io", version: "v1", kind: "CSINode", resource: "csinodes", scope: "Cluster",
  schema: "io.k8s.api.storage.v1.CSINode",
  default(node) {
    (node.spec ??= { drivers: null as never }).drivers ??= null as never;
  },
  strategy: {
    returnDeletedObject: true,
    prepareForCreate(node) {
      delete node.metadata.generation;
    },
    validate,
    validateUpdate,
    allowUnconditionalUpdate: false,
  },
  columns: [
    nameColumn(),
    { name: "Drivers", type: "integer", description: "Drivers indicates the number of CSI drivers registered on the node", value: ({ spec }) => spec.drivers?.length ?? 0 },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "storage.k8s.io/v1", kind: "CSINode", metadata: { name: "example" }, spec: { drivers: [{ name: "example.csi.example.com", nodeID: "example", topologyKeys: ["example.com/zone"] }] } }),
});

const longestNodeId = 256;

function validate({ spec }: Frozen<CSINode>): FieldError[] {
  const names = new Set<string>();
  return (spec.drivers ?? []).flatMap((driver, index) => validateDriver(`spec.drivers[${index}]`, driver, names));
}

function validateDriver(field: string, { name, nodeID = "", allocatable, topologyKeys }: Frozen<CSINodeDriver>, names: Set<string>): FieldError[] {
  const keys = topologyKeys ?? [];
  return [
    ...csiDriverName(`${field}.name`, name),
    ...(nodeID === "" ? [required(`${field}.nodeID`)] : []),
    ...(Buffer.byteLength(nodeID) > longestNodeId ? [invalidValue(`${field}.nodeID`, nodeID, `must be ${longestNodeId} characters or less`)] : []),
    ...nonNegative(`${field}.allocatable.count`, allocatable?.count),
    ...unique(`${field}.name`, names, name),
    ...keys.flatMap((key, index) => [...(key === "" ? [required(field)] : []), ...(keys.indexOf(key) < index ? [duplicate(field, key)] : []), ...labelName(field, key)]),
  ];
}

/** A driver that stays keeps all but what can be allocated. */
function validateUpdate(node: Frozen<CSINode>, old: Frozen<CSINode>): FieldError[] {
  const fixed = ({ name, nodeID, topologyKeys }: Frozen<CSINodeDriver>): object => ({ name, nodeID, topologyKeys });
  const changed = (old.spec.drivers ?? []).flatMap((was) => (node.spec.drivers ?? []).filter(({ name }) => name === was.name).map(fixed).filter((driver) => !semanticEqual(driver, fixed(was))));
  return [...validate(node), ...changed.map((driver) => {
    const { name, nodeID, topologyKeys } = driver as Frozen<CSINodeDriver>;
    return invalidValue("spec.drivers", { Name: name, NodeID: nodeID, TopologyKeys: topologyKeys ?? null, Allocatable: null }, "field is immutable");
  })];
}
