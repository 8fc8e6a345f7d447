import { isIP } from "node:net";
import { invalidValue, notSupported, required, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { dns1123LabelErrors, dns1123SubdomainErrors } from "../../apimachinery/validation/names.ts";
import { wildcardDomainErrors } from "../../apimachinery/validation/values.ts";
import { dnsSubdomain, portName, portNumber } from "../core/field-rules.ts";
import type { HTTPIngressPath, Ingress, IngressBackend, IngressRule, IngressSpec, IngressTLS } from "../generated/networking/v1.ts";
import { legacyAddressErrors } from "./addresses.ts";
import { typedReference } from "./references.ts";

/** Source: pkg/apis/networking/validation. */

export const classAnnotation = "kubernetes.io/ingress.class";
const pathTypes = ["Exact", "ImplementationSpecific", "Prefix"];
const forbiddenSequences = ["//", "/./", "/../", "%2f", "%2F"], forbiddenEndings = ["/..", "/."];

/** What was stored before a rule was made may stay. */
interface Tolerance {
  secretNames: boolean;
  wildcardRules: boolean;
}

export function validateIngress({ metadata, spec }: Frozen<Ingress>): FieldError[] {
  const errors = validateSpec(spec, { secretNames: false, wildcardRules: false });
  const annotation = metadata.annotations?.[classAnnotation];
  if (annotation === undefined || spec.ingressClassName === undefined || annotation === spec.ingressClassName) return errors;
  return [...errors, invalidValue(`annotations.${classAnnotation}`, annotation, "must match `ingressClassName` when both are specified")];
}

export function validateIngressUpdate({ spec }: Frozen<Ingress>, { spec: old }: Frozen<Ingress>): FieldError[] {
  return validateSpec(spec, {
    secretNames: (old.tls ?? []).some(({ secretName }) => secretName && dns1123SubdomainErrors(secretName).length > 0),
    wildcardRules: (old.rules ?? []).some((rule) => rule.host?.includes("*") && validatePaths("", rule).length > 0),
  });
}

function validateSpec({ rules = [], defaultBackend, tls = [], ingressClassName }: Frozen<IngressSpec>, tolerance: Tolerance): FieldError[] {
  const errors: FieldError[] = rules.length > 0 || defaultBackend ? [] : [invalidValue("spec", null, "either `defaultBackend` or `rules` must be specified")];
  if (defaultBackend) errors.push(...validateBackend("spec.defaultBackend", defaultBackend));
  rules.forEach((rule, index) => errors.push(...validateRule(`spec.rules[${index}]`, rule, tolerance)));
  tls.forEach((one, index) => errors.push(...validateTls(`spec.tls[${index}]`, one, tolerance)));
  if (ingressClassName !== undefined) errors.push(...dnsSubdomain("spec.ingressClassName", ingressClassName));
  return errors;
}

const hostName = (field: string, host: string): FieldError[] =>
  (host.includes("*") ? wildcardDomainErrors(host) : dns1123SubdomainErrors(host)).map((message) => invalidValue(field, host, message));

function validateRule(field: string, rule: Frozen<IngressRule>, tolerance: Tolerance): FieldError[] {
  const { host = "" } = rule, errors: FieldError[] = [];
  if (host && isIP(host)) errors.push(invalidValue(`${field}.host`, host, "must be a DNS name, not an IP address"));
  if (host) errors.push(...hostName(`${field}.host`, host));
  return host.includes("*") && tolerance.wildcardRules ? errors : [...errors, ...validatePaths(field, rule)];
}

function validatePaths(field: string, { http }: Frozen<IngressRule>): FieldError[] {
  if (!http) return [];
  if (!http.paths?.length) return [required(`${field}.http.paths`)];
  return http.paths.flatMap((path, index) => validatePath(`${field}.http.paths[${index}]`, path));
}

function validatePath(field: string, { pathType, path = "", backend = {} }: Frozen<HTTPIngressPath>): FieldError[] {
  if (pathType === undefined) return [required(`${field}.pathType`, "pathType must be specified")];
  const wrong = (message: string): FieldError => invalidValue(`${field}.path`, path, message), errors: FieldError[] = [];
  const relative = path.startsWith("/") ? [] : [wrong("must be an absolute path")];
  if (pathType === "Exact" || pathType === "Prefix") {
    errors.push(...relative, ...forbiddenSequences.filter((part) => path.includes(part)).map((part) => wrong(`must not contain '${part}'`)));
    errors.push(...forbiddenEndings.filter((part) => path.endsWith(part)).map((part) => wrong(`cannot end with '${part}'`)));
  } else if (pathType === "ImplementationSpecific") {
    if (path) errors.push(...relative);
  } else errors.push(notSupported(`${field}.pathType`, pathType, pathTypes));
  return [...errors, ...validateBackend(`${field}.backend`, backend)];
}

function validateBackend(field: string, { resource, service }: Frozen<IngressBackend>): FieldError[] {
  if (resource && service) return [invalidValue(field, "", "cannot set both resource and service backends")];
  if (resource) return typedReference(`${field}.resource`, resource);
  if (!service) return [invalidValue(field, "", "resource or service backend is required")];
  const { name, port: { name: portNamed = "", number = 0 } = {} } = service;
  const errors = name ? dns1123LabelErrors(name).map((message) => invalidValue(`${field}.service.name`, name, message)) : [required(`${field}.service.name`)];
  if (portNamed && number) errors.push(invalidValue(field, "", "cannot set both port name & port number"));
  else if (portNamed) errors.push(...portName(`${field}.service.port.name`, portNamed));
  else if (number) errors.push(...portNumber(`${field}.service.port.number`, number));
  else errors.push(required(field, "port name or number is required"));
  return errors;
}

function validateTls(field: string, { hosts = [], secretName }: Frozen<IngressTLS>, tolerance: Tolerance): FieldError[] {
  return [
    ...hosts.flatMap((host, index) => hostName(`${field}.hosts[${index}]`, host)),
    ...(secretName && !tolerance.secretNames ? dnsSubdomain(`${field}.secretName`, secretName) : []),
  ];
}

export function validateIngressStatus({ status }: Frozen<Ingress>, { status: old }: Frozen<Ingress>): FieldError[] {
  const known = new Set((old?.loadBalancer?.ingress ?? []).map(({ ip }) => ip));
  return (status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }, index) => {
    const field = `status.loadBalancer.ingress[${index}]`;
    return [
      ...(ip && !known.has(ip) ? legacyAddressErrors(ip).map((message) => invalidValue(`${field}.ip`, ip, message)) : []),
      ...(hostname ? dnsSubdomain(`${field}.hostname`, hostname) : []),
      ...(hostname && isIP(hostname) ? [invalidValue(`${field}.hostname`, hostname, "must be a DNS name, not an IP address")] : []),
    ];
  });
}
