import { semanticEqual } from "../../apimachinery/equality.ts";
import { duplicate, forbiddenField, invalidValue, notSupported, required, tooLong, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { dns1123LabelErrors, dns1123SubdomainErrors } from "../../apimachinery/validation/names.ts";
import type { CertificateSigningRequest, CertificateSigningRequestCondition, CertificateSigningRequestSpec } from "../generated/certificates/v1.ts";
import { certificateRequestProblem, certificatesProblem } from "./certificate-request.ts";

/** Source: pkg/apis/certificates/validation. */

type Request = Frozen<CertificateSigningRequest>;
type Conditions = readonly Frozen<CertificateSigningRequestCondition>[];

const usageNames = [
  "any", "cert sign", "client auth", "code signing", "content commitment", "crl sign", "data encipherment", "decipher only", "digital signature", "email protection", "encipher only",
  "ipsec end system", "ipsec tunnel", "ipsec user", "key agreement", "key encipherment", "microsoft sgc", "netscape sgc", "ocsp signing", "s/mime", "server auth", "signing", "timestamping",
];
const longestSubdomain = 253, longestLabel = 63;
const legacySigner = "kubernetes.io/legacy-unknown";
/** Conditions that are true or absent, and that stay. */
const finalConditions = ["Approved", "Denied", "Failed"];

const text = (base64: string | undefined): string => Buffer.from(base64 ?? "", "base64").toString("latin1");
const repeated = (values: readonly string[]): number[] => values.flatMap((value, index) => (values.indexOf(value) < index ? [index] : []));
const conditionsOf = ({ status }: Request): Conditions => status?.conditions ?? [];
const ofType = (request: Request, type: string): Conditions => conditionsOf(request).filter((condition) => condition.type === type);

export function validateRequest(request: Request, old?: Request): FieldError[] {
  const certificate = request.status?.certificate ?? "", kept = old !== undefined && certificate === (old.status?.certificate ?? "");
  const problem = kept ? undefined : certificatesProblem(text(certificate));
  return [
    ...validateSpec(request.spec, old?.spec),
    ...validateConditions("status.conditions", conditionsOf(request), old ? conditionsOf(old) : []),
    ...(problem ? [invalidValue("status.certificate", "<certificate data>", problem)] : []),
  ];
}

function validateSpec({ request = "", usages = [], signerName = "", expirationSeconds: seconds }: Frozen<CertificateSigningRequestSpec>, old: Frozen<CertificateSigningRequestSpec> | undefined): FieldError[] {
  const problem = certificateRequestProblem(text(request)), was = old?.usages ?? [];
  const unknownBefore = was.some((usage) => !usageNames.includes(usage)), twiceBefore = repeated(was).length > 0;
  const legacy = signerName === legacySigner && old?.signerName !== legacySigner;
  return [
    ...(problem ? [invalidValue("spec.request", request, problem)] : []),
    ...(usages.length === 0 ? [required("spec.usages")] : []),
    ...(unknownBefore ? [] : usages.flatMap((usage, index) => (usageNames.includes(usage) ? [] : [notSupported(`spec.usages[${index}]`, usage, usageNames)]))),
    ...(twiceBefore ? [] : repeated(usages).map((index) => duplicate(`spec.usages[${index}]`, usages[index]))),
    ...(legacy ? [invalidValue("spec.signerName", signerName, "the legacy signerName is not allowed via this API version")] : validateSignerName("spec.signerName", signerName)),
    ...(seconds !== undefined && seconds < 600 ? [invalidValue("spec.expirationSeconds", seconds, "may not specify a duration less than 600 seconds (10 minutes)")] : []),
  ];
}

/** `example.com/signer`. Source: pkg/apis/core/validation ValidateSignerName. */
function validateSignerName(field: string, name: string): FieldError[] {
  if (name === "") return [required(field)];
  const segments = name.split("/"), [domain = "", path = ""] = segments;
  if (segments.length !== 2) return [invalidValue(field, name, "must be a fully qualified domain and path of the form 'example.com/signer-name'")];
  // Of a domain's or a path's labels, the first bad one is told.
  const labels = (part: string, errorsOf: (label: string) => string[]): FieldError[] => {
    const bad = part.split(".").find((label) => errorsOf(label).length > 0);
    return bad === undefined ? [] : errorsOf(bad).map((message) => invalidValue(field, part, `validating label ${JSON.stringify(bad)}: ${message}`));
  };
  return [
    ...(domain.length > longestSubdomain ? [tooLong(field, longestSubdomain)] : []),
    ...labels(domain, dns1123LabelErrors),
    ...(domain.includes(".") ? [] : [invalidValue(field, domain, "should be a domain with at least two segments separated by dots")]),
    ...labels(path, dns1123SubdomainErrors),
    ...(path.length > longestSubdomain + longestLabel + 1 ? [tooLong(field, longestSubdomain + longestLabel + 1)] : []),
  ];
}

function validateConditions(field: string, conditions: Conditions, old: Conditions): FieldError[] {
  const types = conditions.map(({ type }) => type ?? ""), was = old.map(({ type }) => type ?? "");
  const namelessBefore = was.includes(""), twiceBefore = repeated(was).length > 0, bothBefore = was.includes("Approved") && was.includes("Denied");
  return conditions.flatMap(({ status = "" }, index) => {
    const at = `${field}[${index}]`, type = types[index]!, earlier = types.slice(0, index);
    const allowed = finalConditions.includes(type) ? ["True"] : ["False", "True", "Unknown"];
    const opposite = type === "Approved" ? "Denied" : type === "Denied" ? "Approved" : undefined;
    return [
      ...(type || namelessBefore ? [] : [required(`${at}.type`)]),
      ...(status === "" ? [required(`${at}.status`)] : allowed.includes(status) ? [] : [notSupported(`${at}.status`, status, allowed)]),
      ...(!bothBefore && opposite && earlier.includes(opposite) ? [invalidValue(field, type, "Approved and Denied conditions are mutually exclusive")] : []),
      ...(!twiceBefore && earlier.includes(type) ? [duplicate(`${at}.type`, type)] : []),
    ];
  });
}

/** What each way of updating a request may do. */
interface Allowed {
  approval?: boolean;
  certificate?: boolean;
}

export const validateChange = (allowed: Allowed) => (request: Request, old: Request): FieldError[] => {
  const field = "status.conditions", certificate = request.status?.certificate ?? "", was = old.status?.certificate ?? "";
  return [
    ...validateRequest(request, old),
    ...finalConditions.filter((type) => ofType(request, type).length < ofType(old, type).length).map((type) => forbiddenField(field, `updates may not remove a condition of type "${type}"`)),
    ...(allowed.approval ? [] : ["Approved", "Denied"].flatMap((type) => changedCondition(field, type, ofType(request, type), ofType(old, type)))),
    ...(certificate === was || (allowed.certificate && was === "") ? []
      : [forbiddenField("status.certificate", allowed.certificate ? "updates may not modify existing certificate content" : "updates may not set certificate content")]),
  ];
};

function changedCondition(field: string, type: string, conditions: Conditions, old: Conditions): FieldError[] {
  if (conditions.length < old.length || semanticEqual(conditions, old)) return [];
  return [forbiddenField(field, `updates may not ${conditions.length > old.length ? "add" : "modify"} a condition of type "${type}"`)];
}
