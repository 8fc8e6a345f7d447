import { invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { dns1035LabelErrors, dns1123SubdomainErrors, pathSegmentErrors } from "../../apimachinery/validation/names.ts";
import { portNumberErrors } from "../../apimachinery/validation/values.ts";
import { keepMetadata } from "../status-metadata.ts";
import type { APIService } from "../generated/apiregistration/v1.ts";
export type { APIService } from "../generated/apiregistration/v1.ts";

export const apiservices = defineResource<APIService>({
  group: "apiregistration.k8s.io", version: "v1", kind: "APIService", resource: "apiservices", scope: "Cluster", categories: ["api-extensions"], subresources: { status: true },
  schema: "io.k8s.kube-aggregator.pkg.apis.apiregistration.v1.APIService",
  default(service) {
    const spec = (service.spec ??= { groupPriorityMinimum: 0, versionPriority: 0 });
    spec.groupPriorityMinimum ??= 0;
    spec.versionPriority ??= 0;
    if (spec.service) spec.service.port ??= 443;
    service.status ??= {};
  },
  strategy: {
    resetFields: { status: [["metadata"], ["spec"]] },
    prepareForCreate(service) {
      delete service.metadata.generation;
      service.status = service.spec.service ? {} : {
        conditions: [{ type: "Available", status: "True", lastTransitionTime: service.metadata.creationTimestamp, reason: "Local", message: "Local APIServices are always available" }],
      };
    },
    prepareForStatusUpdate: keepMetadata,
    validate,
    validateUpdate: (service) => validate(service),
    validateStatusUpdate: ({ status }) => (status?.conditions ?? []).flatMap(({ status: value }, index) =>
      (["True", "False", "Unknown"].includes(value) ? [] : [notSupported(`status.conditions[${index}].status`, value ?? "", ["True", "False", "Unknown"])])),
    allowUnconditionalUpdate: false,
  },
  columns: [
    nameColumn(),
    { name: "Service", type: "string", description: "The reference to the service that hosts this API endpoint.", value: ({ spec: { service } }) => (service ? `${service.namespace ?? ""}/${service.name ?? ""}` : "Local") },
    { name: "Available", type: "string", description: "Whether this service is available.", value: availability },
    ageColumn(),
  ],
  validateName: (name) => pathSegmentErrors(name),
  example: (name = "example") => ({
    apiVersion: "apiregistration.k8s.io/v1", kind: "APIService", metadata: { name: `v1.${name}.skiff.example.com` },
    spec: { group: `${name}.skiff.example.com`, version: "v1", groupPriorityMinimum: 1000, versionPriority: 15, insecureSkipTLSVerify: true, service: { namespace: "default", name: "missing" } },
  }),
});

/** `False` comes with its reason. */
function availability({ status }: Frozen<APIService>): string {
  const condition = status?.conditions?.find(({ type }) => type === "Available");
  if (!condition) return "Unknown";
  return condition.status === "True" ? "True" : `${condition.status} (${condition.reason ?? ""})`;
}

function validate({ metadata: { name = "" }, spec }: Frozen<APIService>): FieldError[] {
  const { group = "", version = "", service, caBundle = "", insecureSkipTLSVerify: insecure, groupPriorityMinimum, versionPriority } = spec;
  const wanted = `${version}.${group}`;
  const errors = [
    ...(name === wanted || pathSegmentErrors(name).length > 0 ? [] : [invalidValue("metadata.name", name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`)]),
    ...(group || version === "v1" ? [] : [required("spec.group", "only v1 may have an empty group and it better be legacy kube")]),
    ...(group ? dns1123SubdomainErrors(group).map((message) => invalidValue("spec.group", group, message)) : []),
    ...dns1035LabelErrors(version).map((message) => invalidValue("spec.version", version, message)),
    ...(groupPriorityMinimum <= 0 || groupPriorityMinimum > 20_000 ? [invalidValue("spec.groupPriorityMinimum", groupPriorityMinimum, "must be positive and less than 20000")] : []),
    ...(versionPriority <= 0 || versionPriority > 1000 ? [invalidValue("spec.versionPriority", versionPriority, "must be positive and less than 1000")] : []),
  ];
  if (!service) return [
    ...errors,
    ...(caBundle ? [invalidValue("spec.caBundle", `${Buffer.from(caBundle, "base64").length} bytes`, "local APIServices may not have a caBundle")] : []),
    ...(insecure ? [invalidValue("spec.insecureSkipTLSVerify", true, "local APIServices may not have insecureSkipTLSVerify")] : []),
  ];
  const { port = 443 } = service;
  return [
    ...errors,
    ...(service.namespace ? [] : [required("spec.service.namespace")]),
    ...(service.name ? [] : [required("spec.service.name")]),
    ...portNumberErrors(port).map((message) => invalidValue("spec.service.port", port, `port is not valid: ${message}`)),
    ...(insecure && caBundle ? [invalidValue("spec.insecureSkipTLSVerify", true, "may not be true if caBundle is present")] : []),
  ];
}
