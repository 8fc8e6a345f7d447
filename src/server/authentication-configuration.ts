import { readFileSync } from "node:fs";
import { load } from "js-yaml";
import { duplicate, invalidValue, render, required, type FieldError } from "../apimachinery/field-errors.ts";
import { isObject } from "../apimachinery/own.ts";
import type { OidcOptions } from "../apiserver/authentication/oidc.ts";
import { compileJwtMapping, type JwtMapping } from "./jwt-mapping.ts";
import { UsageError } from "./settings.ts";

/** What a file of apiserver.config.k8s.io/v1 AuthenticationConfiguration says: whose tokens are good, and who may come without one. */
export interface AuthenticationConfiguration {
  jwt: readonly JwtSettings[];
  /** `paths`: those that are open to requests without credentials; all where it is absent. */
  anonymous?: { enabled: boolean; paths?: readonly string[] };
}

export type JwtSettings = Omit<OidcOptions, "now" | "keySetCooldown">;

interface Content {
  jwt?: (JwtMapping & { issuer?: { url?: string; discoveryURL?: string; certificateAuthority?: string; audiences?: string[]; audienceMatchPolicy?: string } })[];
  anonymous?: { enabled?: boolean; conditions?: { path?: string }[] };
}

const versions = ["apiserver.config.k8s.io/v1", "apiserver.config.k8s.io/v1beta1"];

/** Throws a `UsageError` that names everything that is wrong. */
export function readAuthenticationConfiguration(file: string, { algorithms, serviceAccountIssuers }: { algorithms: readonly string[]; serviceAccountIssuers: readonly string[] }): AuthenticationConfiguration {
  const fail = (reason: string, cause?: unknown): UsageError => new UsageError(`--authentication-config ${file} can't be used: ${reason}`, { cause });
  let content: unknown;
  try {
    content = load(readFileSync(file, "utf8"));
  } catch (error) {
    throw fail((error as Error).message.split("\n")[0]!, error);
  }
  if (!isObject(content) || content["kind"] !== "AuthenticationConfiguration" || !versions.includes(String(content["apiVersion"]))) throw fail(`it must have apiVersion "${versions[0]}" and kind "AuthenticationConfiguration"`);
  if (content["jwt"] !== undefined && !(Array.isArray(content["jwt"]) && content["jwt"].every(isObject))) throw fail("jwt must be a list");
  const { jwt = [], anonymous } = content as Content;
  const errors: FieldError[] = [];
  const settings = jwt.map((authenticator, i): JwtSettings => {
    const path = `jwt[${i}]`, { url = "", discoveryURL, certificateAuthority, audiences = [], audienceMatchPolicy = "" } = authenticator.issuer ?? {};
    errors.push(...urlErrors(`${path}.issuer.url`, url, serviceAccountIssuers));
    if (jwt.findIndex((other) => other.issuer?.url === url) < i) errors.push(duplicate(`${path}.issuer.url`, url));
    if (discoveryURL) errors.push(...urlErrors(`${path}.issuer.discoveryURL`, discoveryURL, []), ...(discoveryURL === url ? [invalidValue(`${path}.issuer.discoveryURL`, discoveryURL, "discoveryURL must be different from URL")] : []));
    if (audiences.length === 0) errors.push(required(`${path}.issuer.audiences`, `at least one ${path}.issuer.audiences is required`));
    if (audiences.length > 1 && audienceMatchPolicy !== "MatchAny") errors.push(invalidValue(`${path}.issuer.audienceMatchPolicy`, audienceMatchPolicy, "audienceMatchPolicy must be MatchAny for multiple audiences"));
    const mapping = compileJwtMapping(authenticator, path);
    errors.push(...mapping.errors);
    return { issuerUrl: url, audiences, ...(discoveryURL ? { discoveryUrl: discoveryURL } : {}), ...(certificateAuthority ? { ca: certificateAuthority } : {}), signingAlgorithms: algorithms, userOf: mapping.userOf };
  });
  const conditions = anonymous?.conditions ?? [];
  if (conditions.length && !anonymous?.enabled) errors.push(invalidValue("anonymous.conditions", conditions, "enabled should be set to true when conditions are defined"));
  if (errors.length) throw fail(errors.map(render).join(", "));
  return { jwt: settings, ...(anonymous ? { anonymous: { enabled: anonymous.enabled === true, ...(conditions.length ? { paths: conditions.map(({ path = "" }) => path) } : {}) } } : {}) };
}

function urlErrors(field: string, url: string, disallowed: readonly string[]): FieldError[] {
  if (url === "") return [required(field, "URL is required")];
  if (disallowed.includes(url)) return [invalidValue(field, url, `URL must not overlap with disallowed issuers: [${disallowed.join(" ")}]`)];
  if (!URL.canParse(url)) return [invalidValue(field, url, "must be a URL")];
  const { protocol, username, password, search, hash } = new URL(url);
  return [
    ...(protocol === "https:" ? [] : [invalidValue(field, url, "URL scheme must be https")]), ...(username || password ? [invalidValue(field, url, "URL must not contain a username or password")] : []),
    ...(search ? [invalidValue(field, url, "URL must not contain a query")] : []), ...(hash ? [invalidValue(field, url, "URL must not contain a fragment")] : []),
  ];
}
