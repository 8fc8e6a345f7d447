import { semanticEqual } from "../../apimachinery/equality.ts";
import { invalidValue, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { immutableMessage } from "../../apimachinery/validation/object-meta.ts";
import { dnsSubdomain } from "../core/field-rules.ts";
import type { IPAddress, ParentReference } from "../generated/networking/v1.ts";
import { canonicalAddressErrors } from "./addresses.ts";
import { pathSegment } from "./references.ts";
export type { IPAddress } from "../generated/networking/v1.ts";

export const ipaddresses = defineResource<IPAddress>({
  group: "networking.k8s.io", version: "v1", kind: "IPAddress", resource: "ipaddresses", scope: "Cluster", shortNames: ["ip"],
  schema: "io.k8s.api.networking.v1.IPAddress",
  default(address) {
    address.spec ??= {};
  },
  strategy: {
    prepareForCreate(address) {
      delete address.metadata.generation;
    },
    validate,
    validateUpdate: (address, old) => [...validate(address), ...(semanticEqual(address.spec.parentRef, old.spec.parentRef) ? [] : [invalidValue("spec.parentRef", inside(address.spec.parentRef), immutableMessage)])],
  },
  columns: [
    nameColumn(),
    { name: "ParentRef", type: "string", description: "ParentRef references the resource that an IPAddress is attached to. An IPAddress must reference a parent object.", value: ({ spec }) => (spec.parentRef ? shownParent(spec.parentRef) : "<none>") },
  ],
  validateName: canonicalAddressErrors,
  example: (name = "") => ({
    apiVersion: "networking.k8s.io/v1", kind: "IPAddress", metadata: { name: exampleAddress(name) },
    spec: { parentRef: { resource: "services", namespace: "default", name: "example" } },
  }),
});

/** One of the addresses that RFC 5737 leaves to examples. */
const exampleAddress = (name: string): string => `192.0.2.${[...name].reduce((sum, sign) => (sum * 31 + sign.charCodeAt(0)) % 251, 7)}`;

/** As messages show it: Go's internal form. */
const inside = ({ group = "", resource = "", namespace = "", name = "" }: Frozen<ParentReference> = {}): object => ({ Group: group, Resource: resource, Namespace: namespace, Name: name });

function shownParent({ group, resource = "", namespace, name = "" }: Frozen<ParentReference>): string {
  const kind = (group ? `${resource}.${group}` : resource).toLowerCase();
  return [kind, ...(namespace ? [namespace] : []), name].join("/");
}

function validate({ spec: { parentRef } }: Frozen<IPAddress>): FieldError[] {
  const field = "spec.parentRef";
  if (!parentRef) return [required(field)];
  const { group, resource, namespace, name } = parentRef;
  return [
    ...(group ? dnsSubdomain(`${field}.group`, group) : []),
    ...pathSegment(`${field}.resource`, resource),
    ...pathSegment(`${field}.name`, name),
    ...(namespace ? pathSegment(`${field}.namespace`, namespace) : []),
  ];
}
