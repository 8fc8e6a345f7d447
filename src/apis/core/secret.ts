import { semanticEqual } from "../../apimachinery/equality.ts";
import { forbiddenField, invalidValue, required, tooLong, type FieldError } from "../../apimachinery/field-errors.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { ageColumn, defineResource, nameColumn } from "../../apimachinery/resource.ts";
import type { Secret } from "../generated/core/v1.ts";
import { base64Length, maxDataSize, validateConfigKey } from "./config-data.ts";
import { keyPairProblem } from "./tls-warnings.ts";
export type { Secret } from "../generated/core/v1.ts";

export const secrets = defineResource<Secret>({
  group: "", version: "v1", kind: "Secret", resource: "secrets", scope: "Namespaced",
  schema: "io.k8s.api.core.v1.Secret",
  default(secret) {
    secret.type ||= "Opaque";
  },
  strategy: {
    prepareForCreate: encodeStringData,
    prepareForUpdate: encodeStringData,
    validate, validateUpdate,
    warnings: ({ type, data = {} }) => {
      const problem = type === "kubernetes.io/tls" ? keyPairProblem(data["tls.crt"] ?? "", data["tls.key"] ?? "") : undefined;
      return problem === undefined ? [] : [problem];
    },
  },
  fieldSelectors: { type: (secret) => secret.type ?? "" },
  columns: [
    nameColumn(),
    { name: "Type", type: "string", description: "Used to facilitate programmatic handling of secret data. More info: https://kubernetes.io/docs/concepts/configuration/secret/#secret-types", value: (secret) => secret.type ?? "" },
    { name: "Data", type: "string", description: "Data contains the secret data. Each key must consist of alphanumeric characters, '-', '_' or '.'. The serialized form of the secret data is a base64 encoded string, representing the arbitrary (possibly non-string) data value here. Described in https://tools.ietf.org/html/rfc4648#section-4", value: (secret) => Object.keys(secret.data ?? {}).length },
    ageColumn(),
  ],
  example: () => ({ apiVersion: "v1", kind: "Secret", metadata: { name: "example", namespace: "default" }, data: { key: "dmFsdWU=" } }),
});

/** `stringData` is write only: it replaces the entries of `data` that have the same key. */
function encodeStringData(secret: Secret): void {
  const entries = Object.entries(secret.stringData ?? {});
  delete secret.stringData;
  if (entries.length === 0) return;
  secret.data = { ...secret.data, ...Object.fromEntries(entries.map(([key, text]) => [key, Buffer.from(text).toString("base64")])) };
}

/** Keys that a secret of a type must have. */
const requiredKeys: ReadonlyMap<string, readonly string[]> = new Map([
  ["kubernetes.io/dockercfg", [".dockercfg"]],
  ["kubernetes.io/dockerconfigjson", [".dockerconfigjson"]],
  ["kubernetes.io/ssh-auth", ["ssh-privatekey"]],
  ["kubernetes.io/tls", ["tls.crt", "tls.key"]],
]);

function validate(secret: Frozen<Secret>): FieldError[] {
  const errors: FieldError[] = [];
  const data = secret.data ?? {}, type = secret.type ?? "";
  let size = 0;
  for (const [key, value] of Object.entries(data)) {
    errors.push(...validateConfigKey(`data[${key}]`, key));
    size += base64Length(value);
  }
  if (size > maxDataSize) errors.push(tooLong("data", maxDataSize));
  for (const key of requiredKeys.get(type) ?? []) {
    if (data[key] === undefined) errors.push(required(`data[${key}]`));
    else if (type.startsWith("kubernetes.io/dockerc") && !isJsonObject(data[key])) errors.push(invalidValue(`data[${key}]`, "<secret contents redacted>", "must be a JSON object"));
  }
  if (type === "kubernetes.io/service-account-token" && !secret.metadata.annotations?.["kubernetes.io/service-account.name"]) {
    errors.push(required("metadata.annotations[kubernetes.io/service-account.name]"));
  }
  if (type === "kubernetes.io/basic-auth" && data["username"] === undefined && data["password"] === undefined) {
    errors.push(required("data[username]"), required("data[password]"));
  }
  return errors;
}

function isJsonObject(base64: string): boolean {
  try {
    const value: unknown = JSON.parse(Buffer.from(base64, "base64").toString());
    return typeof value === "object" && !Array.isArray(value);
  } catch {
    return false;
  }
}

function validateUpdate(secret: Frozen<Secret>, old: Frozen<Secret>): FieldError[] {
  const errors: FieldError[] = [];
  if (secret.type !== old.type) errors.push(invalidValue("type", secret.type, "field is immutable"));
  if (old.immutable) {
    if (!secret.immutable) errors.push(forbiddenField("immutable", "field is immutable when `immutable` is set"));
    if (!semanticEqual(secret.data ?? {}, old.data ?? {})) errors.push(forbiddenField("data", "field is immutable when `immutable` is set"));
  }
  return [...errors, ...validate(secret)];
}
