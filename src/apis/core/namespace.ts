import { invalidValue } from "../../apimachinery/field-errors.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { nameIsDns1123Label } from "../../apimachinery/validation/names.ts";
import { labelName } from "./field-rules.ts";
import type { Namespace } from "../generated/core/v1.ts";
export type { Namespace } from "../generated/core/v1.ts";

/** Set on every namespace, so that selectors can name one. */
export const namespaceNameLabel = "kubernetes.io/metadata.name";

export const namespaces = defineResource<Namespace>({
  group: "", version: "v1", kind: "Namespace", resource: "namespaces", scope: "Cluster", shortNames: ["ns"],
  verbs: ["get", "list", "watch", "create", "update", "patch", "delete"],
  validateName: nameIsDns1123Label,
  subresources: { status: true, others: ["finalize"] },
  schema: "io.k8s.api.core.v1.Namespace",
  default(namespace) {
    namespace.spec ??= {};
    namespace.status ??= {};
    namespace.status.phase ||= "Active";
    if (namespace.metadata.name) namespace.metadata.labels = { ...namespace.metadata.labels, [namespaceNameLabel]: namespace.metadata.name };
  },
  strategy: {
    resetFields: { finalize: [["status"]] },
    prepareForCreate(namespace) {
      delete namespace.metadata.generation;
      namespace.status = { phase: "Active" };
      namespace.metadata.labels = { ...namespace.metadata.labels, [namespaceNameLabel]: namespace.metadata.name! };
      const finalizers = namespace.spec.finalizers ?? [];
      if (!finalizers.includes("kubernetes")) namespace.spec.finalizers = [...finalizers, "kubernetes"];
    },
    validate: ({ spec }) => (spec.finalizers ?? []).flatMap((finalizer) => {
      const errors = labelName("spec.finalizers", finalizer);
      return errors.length > 0 || finalizer.includes("/") || finalizer === "kubernetes" ? errors : [...errors, invalidValue("spec.finalizers", finalizer, "name is neither a standard finalizer name nor is it fully qualified")];
    }),
    validateStatusUpdate({ metadata, status }) {
      const phase = metadata.deletionTimestamp ? "Terminating" : "Active", state = metadata.deletionTimestamp ? "not empty" : "empty";
      return status?.phase === phase ? [] : [invalidValue("status.Phase", status?.phase ?? "", `may only be '${phase}' if \`deletionTimestamp\` is ${state}`)];
    },
    /** Finalizers change through the finalize subresource alone. */
    prepareForUpdate(namespace, old) {
      namespace.spec = structuredClone(old.spec) as Namespace["spec"];
    },
    deletionStampOnly: true,
    beginDeletion(namespace) {
      namespace.status = { ...namespace.status, phase: "Terminating" };
    },
  },
  fieldSelectors: { "status.phase": (namespace) => namespace.status?.phase ?? "" },
  columns: [
    nameColumn(),
    { name: "Status", type: "string", description: "The status of the namespace", value: (namespace) => namespace.status?.phase ?? "" },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "v1", kind: "Namespace", metadata: { name: "example" }, spec: {} }),
});
