import type { Frozen } from "../../apimachinery/meta.ts";
import { defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { CustomResourceDefinition } from "../generated/apiextensions/v1.ts";
import { createdAtColumn } from "../rbac/rules.ts";
import { unrecognizedFormats } from "./formats.ts";
import { validateAcceptedNames, validateDefinition, validateDefinitionUpdate } from "./validation.ts";
export type { CustomResourceDefinition } from "../generated/apiextensions/v1.ts";

export const customresourcedefinitions = defineResource<CustomResourceDefinition>({
  group: "apiextensions.k8s.io", version: "v1", kind: "CustomResourceDefinition", resource: "customresourcedefinitions", scope: "Cluster",
  shortNames: ["crd", "crds"], categories: ["api-extensions"], subresources: { status: true },
  schema: "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition",
  default: defaultDefinition,
  strategy: {
    prepareForCreate(definition) {
      definition.status = emptyStatus();
      noteStorageVersion(definition);
    },
    prepareForUpdate: noteStorageVersion,
    validate: validateDefinition,
    validateUpdate: validateDefinitionUpdate,
    validateStatusUpdate: validateAcceptedNames,
    warnings: formatWarnings,
    allowUnconditionalUpdate: false,
  },
  columns: [nameColumn(), createdAtColumn()],
  example: (name = "example") => ({
    apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name: `${name}.skiff.example.com` },
    spec: {
      group: "skiff.example.com", scope: "Namespaced", names: { plural: name, kind: name },
      versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema: { type: "object" } } }],
    },
  }),
});

const emptyStatus = (): NonNullable<CustomResourceDefinition["status"]> => ({ conditions: null as never, acceptedNames: { plural: "", kind: "" }, storedVersions: null as never });

function defaultDefinition(definition: CustomResourceDefinition): void {
  const spec = (definition.spec ??= {} as CustomResourceDefinition["spec"]);
  spec.names ??= { plural: "", kind: "" };
  if (spec.names.kind) {
    spec.names.singular ||= spec.names.kind.toLowerCase();
    spec.names.listKind ||= `${spec.names.kind}List`;
  }
  spec.conversion ??= { strategy: "None" };
  const service = spec.conversion.webhook?.clientConfig?.service;
  if (service) service.port ??= 443;
  const status = (definition.status ??= emptyStatus());
  status.acceptedNames ??= { plural: "", kind: "" };
  if (!status.storedVersions?.length) status.storedVersions = storageVersion(definition);
}

const storageVersion = ({ spec }: CustomResourceDefinition): string[] => (spec.versions ?? []).filter(({ storage }) => storage).map(({ name }) => name).slice(0, 1);

/** A version that objects are stored in is remembered until they have all been migrated. */
function noteStorageVersion(definition: CustomResourceDefinition): void {
  const status = (definition.status ??= emptyStatus());
  const missing = storageVersion(definition).filter((version) => !status.storedVersions?.includes(version));
  if (missing.length > 0) status.storedVersions = [...(status.storedVersions ?? []), ...missing];
}

function formatWarnings(definition: Frozen<CustomResourceDefinition>, old?: Frozen<CustomResourceDefinition>): string[] {
  const known = new Set(old ? unrecognizedFormats(old) : []);
  return unrecognizedFormats(definition).filter((format) => !known.has(format)).map((format) => `unrecognized format ${JSON.stringify(format)}`);
}
