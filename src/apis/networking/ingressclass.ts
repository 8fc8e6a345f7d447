import { forbiddenField, invalidValue, notSupported, required, tooLong, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { validateImmutableField } from "../../apimachinery/validation/object-meta.ts";
import { dnsLabel, dnsSubdomain } from "../core/field-rules.ts";
import type { IngressClass, IngressClassParametersReference } from "../generated/networking/v1.ts";
import { typedReference } from "./references.ts";
export type { IngressClass } from "../generated/networking/v1.ts";

const defaultAnnotation = "ingressclass.kubernetes.io/is-default-class";
const longestController = 250;
const pathPattern = "[A-Za-z0-9/\\-._~%!$&'()*+,;=:]+";
const isPath = new RegExp(`^${pathPattern}$`);

export const ingressclasses = defineResource<IngressClass>({
  group: "networking.k8s.io", version: "v1", kind: "IngressClass", resource: "ingressclasses", scope: "Cluster",
  schema: "io.k8s.api.networking.v1.IngressClass",
  default(ingressClass) {
    const { parameters } = (ingressClass.spec ??= {});
    if (parameters) parameters.scope ??= "Cluster";
  },
  strategy: {
    validate,
    validateUpdate: (ingressClass, old) => [...validateImmutableField(ingressClass.spec.controller ?? "", old.spec.controller ?? "", "spec.controller"), ...validate(ingressClass)],
  },
  columns: [
    { ...nameColumn<IngressClass>(), value: ({ metadata }) => `${metadata.name ?? ""}${metadata.annotations?.[defaultAnnotation] === "true" ? " (default)" : ""}` },
    { name: "Controller", type: "string", description: "Controller that is responsible for handling this class", value: ({ spec }) => spec.controller ?? "" },
    { name: "Parameters", type: "string", description: "A reference to a resource with additional parameters", value: ({ spec: { parameters } }) => (parameters ? shownReference(parameters) : "<none>") },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "networking.k8s.io/v1", kind: "IngressClass", metadata: { name: "example" }, spec: { controller: "example.com/ingress-controller" } }),
});

const shownReference = ({ apiGroup, kind, name }: Frozen<IngressClassParametersReference>): string => `${kind ?? ""}${apiGroup === undefined ? "" : `.${apiGroup}`}/${name ?? ""}`;

function validate({ spec: { controller = "", parameters } }: Frozen<IngressClass>): FieldError[] {
  const errors = Buffer.byteLength(controller) > longestController ? [tooLong("spec.controller", longestController)] : [];
  return [...errors, ...domainPrefixedPath("spec.controller", controller), ...(parameters ? validateParameters("spec.parameters", parameters) : [])];
}

/** `acme.io/foo`. Source: k8s.io/apimachinery/pkg/util/validation IsDomainPrefixedPath. */
function domainPrefixedPath(field: string, value: string): FieldError[] {
  if (value === "") return [required(field)];
  const [, host = "", path = ""] = /^([^/]+)\/(.+)$/s.exec(value) ?? [];
  if (!host) return [invalidValue(field, value, `must be a domain-prefixed path (such as "acme.io/foo")`)];
  return [...dnsSubdomain(field, host), ...(isPath.test(path) ? [] : [invalidValue(field, path, `Invalid path (regex used for validation is '${pathPattern}')`)])];
}

function validateParameters(field: string, parameters: Frozen<IngressClassParametersReference>): FieldError[] {
  const errors = typedReference(field, parameters), { scope, namespace } = parameters;
  if (scope === undefined) return [...errors, required(`${field}.scope`)];
  if (scope === "Namespace") return [...errors, ...(namespace === undefined ? [required(`${field}.namespace`, "`parameters.scope` is set to 'Namespace'")] : dnsLabel(`${field}.namespace`, namespace))];
  if (scope !== "Cluster") return [...errors, notSupported(`${field}.scope`, scope, ["Cluster", "Namespace"])];
  return namespace === undefined ? errors : [...errors, forbiddenField(`${field}.namespace`, "`parameters.scope` is set to 'Cluster'")];
}
