import { readFileSync } from "node:fs";
import { parseGoDuration } from "../../base/go-duration.ts";
import { invalidValue, type FieldError } from "../../apimachinery/field-errors.ts";
import { qualifiedNameErrors } from "../../apimachinery/validation/names.ts";
import { isExtendedResource } from "../../apis/core/resource-names.ts";
import type { ExtenderConfiguration } from "../extender/extender.ts";
import type { ExtenderTls } from "../extender/post.ts";
import type { ExtenderFields, ExtenderTlsFields } from "./configuration.ts";
import { ConfigurationError } from "./decode.ts";

/** In milliseconds. Source: kubernetes pkg/scheduler/extender.go (DefaultExtenderTimeout). */
const defaultTimeout = 5000;

/** Source: kubernetes pkg/scheduler/apis/config/validation (validateExtenders). */
export function validateExtenders(extenders: readonly ExtenderFields[]): FieldError[] {
  const binders = extenders.filter(({ bindVerb }) => bindVerb).length;
  const seen = new Set<string>();
  return [
    ...extenders.flatMap(({ prioritizeVerb, weight = 0, managedResources = [] }, i) => [
      ...(prioritizeVerb && weight <= 0 ? [invalidValue(`extenders[${i}].weight`, weight, "must have a positive weight applied to it")] : []),
      ...managedResources.flatMap(({ name = "" }, j) => {
        const field = `extenders[${i}].managedResources[${j}].name`;
        const repeated = seen.has(name);
        seen.add(name);
        return [...resourceName(name, field), ...(repeated ? [invalidValue(field, name, "duplicate extender managed resource name")] : [])];
      }),
    ]),
    ...(binders > 1 ? [invalidValue("extenders", `found ${binders} extenders implementing bind`, "only one extender can implement bind")] : []),
  ];
}

function resourceName(name: string, field: string): FieldError[] {
  const errors = qualifiedNameErrors(name).map((message) => invalidValue(field, name, message));
  return errors.length > 0 || isExtendedResource(name) ? errors : [invalidValue(field, name, "is an invalid extended resource name")];
}

/** Reads the files that the extenders name, too. Throws a `ConfigurationError`. */
export function extendersOf(extenders: readonly ExtenderFields[]): ExtenderConfiguration[] {
  return extenders.map(({ urlPrefix = "", filterVerb = "", prioritizeVerb = "", preemptVerb = "", bindVerb = "", weight = 0, nodeCacheCapable = false, managedResources = [], ignorable = false, ...endpoint }) => ({
    urlPrefix, filterVerb, prioritizeVerb, preemptVerb, bindVerb, weight, nodeCacheCapable, ignorable, managedResources: managedResources.map(({ name = "" }) => name),
    httpTimeout: parseGoDuration(endpoint.httpTimeout ?? "0") || defaultTimeout, tls: tlsOf(endpoint.tlsConfig ?? {}, endpoint.enableHTTPS ?? false),
  }));
}

/** The resources that no filter is to look at: extenders see to them. */
export const ignoredResources = (extenders: readonly ExtenderFields[]): string[] => extenders.flatMap(({ managedResources = [] }) => managedResources.flatMap(({ name = "", ignoredByScheduler }) => (ignoredByScheduler ? [name] : [])));

/** Data goes before files. HTTPS without a CA is not verified. Source: kubernetes pkg/scheduler/extender.go (makeTransport). */
function tlsOf({ insecure = false, serverName, certFile, keyFile, caFile, certData, keyData, caData }: ExtenderTlsFields, enableHTTPS: boolean): ExtenderTls {
  const ca = pem(caData, caFile), cert = pem(certData, certFile), key = pem(keyData, keyFile);
  if (insecure && ca) throw new ConfigurationError("couldn't build extenders: specifying a root certificates file with the insecure flag is not allowed");
  return { insecure: insecure || (enableHTTPS && !ca), ...(ca ? { ca } : {}), ...(cert && key ? { cert, key } : {}), ...(serverName ? { serverName } : {}) };
}

function pem(data: string | undefined, file: string | undefined): string | undefined {
  if (data) return Buffer.from(data, "base64").toString();
  if (!file) return undefined;
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    throw new ConfigurationError(`couldn't build extenders: ${(error as Error).message}`, { cause: error });
  }
}
