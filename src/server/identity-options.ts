import { existsSync, readFileSync } from "node:fs";
import { readAdmissionConfiguration, type AdmissionConfiguration } from "./admission-configuration.ts";
import { readAuthenticationConfiguration, type JwtSettings } from "./authentication-configuration.ts";
import type { Setting, SettingValues } from "./options.ts";
import { UsageError } from "./settings.ts";

/** Who may come in, other than by certificates and tokens of the cluster's own. Names and meanings are kube-apiserver's. */
export const identitySettings = [
  { name: "anonymous-auth", type: "boolean", default: true, group: "Identity", description: "Let requests without credentials be system:anonymous, whom roles may allow something; else they are refused" },
  { name: "service-account-issuer", type: "list", defaultText: "https://kubernetes.default.svc.<cluster-domain>", placeholder: "url", group: "Identity", description: "Issuer of service-account tokens; the first issues, all are accepted" },
  { name: "service-account-jwks-uri", type: "string", defaultText: "<issuer>/openid/v1/jwks", placeholder: "url", group: "Identity", description: "Where others find the keys that verify service-account tokens; https only" },
  { name: "api-audiences", type: "list", defaultText: "the issuers", placeholder: "name", group: "Identity", description: "Audiences that service-account tokens for this API server are for" },
  { name: "authentication-config", type: "string", placeholder: "file", group: "Identity", description: "AuthenticationConfiguration (apiserver.config.k8s.io/v1): several issuers of tokens, and which paths are open to anonymous requests; instead of --oidc-*" },
  { name: "oidc-issuer-url", type: "string", placeholder: "url", group: "Identity", description: "Accept ID tokens of this OpenID Connect issuer; https only" },
  { name: "oidc-client-id", type: "string", placeholder: "id", group: "Identity", description: "The client that ID tokens must be for" },
  { name: "oidc-username-claim", type: "string", default: "sub", placeholder: "claim", group: "Identity", description: "Claim that names the user" },
  { name: "oidc-username-prefix", type: "string", defaultText: "the issuer's URL and #, nothing for the claim email", placeholder: "text", group: "Identity", description: 'Put before user names; "-" for nothing' },
  { name: "oidc-groups-claim", type: "string", placeholder: "claim", group: "Identity", description: "Claim that lists the user's groups" },
  { name: "oidc-groups-prefix", type: "string", placeholder: "text", group: "Identity", description: "Put before groups" },
  { name: "oidc-ca-file", type: "string", defaultText: "the system's", placeholder: "file", group: "Identity", description: "CA of the issuer's certificate" },
  { name: "oidc-required-claim", type: "list", placeholder: "key=value", group: "Identity", description: "A claim that tokens must have" },
  { name: "oidc-signing-algs", type: "list", default: ["RS256"], placeholder: "alg", group: "Identity", description: "Accepted signature algorithms" },
  { name: "token-auth-file", type: "string", placeholder: "file", group: "Identity", description: 'Static tokens: lines of token,user,uid,"group1,group2"' },
  { name: "enable-admission-plugins", type: "list", placeholder: "name", group: "Cluster", description: "Admission plugins to run beside those that run by default" },
  { name: "disable-admission-plugins", type: "list", placeholder: "name", group: "Cluster", description: "Admission plugins that are not to run" },
  { name: "admission-control-config-file", type: "string", placeholder: "file", group: "Cluster", description: "AdmissionConfiguration (apiserver.config.k8s.io/v1) with the plugins' own settings: PodSecurity's defaults and exemptions" },
] as const satisfies readonly Setting[];

export interface OidcSettings {
  issuerUrl: string;
  audiences: readonly string[];
  usernameClaim: string;
  usernamePrefix: string;
  groupsClaim?: string;
  groupsPrefix: string;
  requiredClaims: Readonly<Record<string, string>>;
  /** PEM text. */
  ca?: string;
  signingAlgorithms: readonly string[];
}

/** What service-account tokens say, and must say to be good here. */
export interface ServiceAccountSettings {
  /** The first issues tokens, all are accepted. Never empty. */
  issuers: readonly [string, ...string[]];
  jwksUri?: string;
  audiences: readonly string[];
}

export interface IdentityOptions {
  /** Whether requests without credentials go on; the paths, where not on all of them. */
  anonymous: boolean | readonly string[];
  /** Issuers of `--authentication-config`. */
  jwt?: readonly JwtSettings[];
  serviceAccounts: ServiceAccountSettings;
  oidc?: OidcSettings;
  /** The text of `--token-auth-file`. */
  tokenFile?: string;
  enabledAdmissionPlugins: readonly string[];
  disabledAdmissionPlugins: readonly string[];
  admissionConfiguration?: AdmissionConfiguration;
}

const algorithms = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256", "PS384", "PS512"];

export function parseIdentityOptions(values: SettingValues): IdentityOptions {
  const optional = (name: string): string | undefined => (values[name] === undefined || values[name] === "" ? undefined : String(values[name]));
  const tokenFile = optional("token-auth-file");
  const oidc = parseOidc(values, optional), admissionFile = optional("admission-control-config-file");
  const serviceAccounts = parseServiceAccounts(values, optional), authenticationFile = optional("authentication-config");
  if (authenticationFile && oidc) throw new UsageError("--authentication-config and --oidc-* flags are mutually exclusive: put the issuer into the file");
  const { jwt, anonymous } = authenticationFile ? readAuthenticationConfiguration(authenticationFile, { algorithms, serviceAccountIssuers: serviceAccounts.issuers }) : {};
  return {
    anonymous: values["anonymous-auth"] !== false && (anonymous ? anonymous.enabled && (anonymous.paths ?? true) : true), serviceAccounts, ...(jwt ? { jwt } : {}),
    ...(oidc ? { oidc } : {}), ...(tokenFile ? { tokenFile: read(tokenFile, "--token-auth-file") } : {}),
    enabledAdmissionPlugins: (values["enable-admission-plugins"] as string[] | undefined) ?? [], disabledAdmissionPlugins: (values["disable-admission-plugins"] as string[] | undefined) ?? [],
    ...(admissionFile ? { admissionConfiguration: readAdmissionConfiguration(admissionFile) } : {}),
  };
}

function parseServiceAccounts(values: SettingValues, optional: (name: string) => string | undefined): ServiceAccountSettings {
  const given = (values["service-account-issuer"] as string[] | undefined) ?? [];
  for (const issuer of given) if (issuer.includes(":") && !URL.canParse(issuer)) throw new UsageError(`--service-account-issuer contained a ':' but was not a valid URL: ${JSON.stringify(issuer)}`);
  const [first = `https://kubernetes.default.svc.${optional("cluster-domain") ?? "cluster.local"}`, ...others] = given;
  const jwksUri = optional("service-account-jwks-uri");
  if (jwksUri && (!URL.canParse(jwksUri) || new URL(jwksUri).protocol !== "https:")) throw new UsageError(`--service-account-jwks-uri must begin with https://, not ${JSON.stringify(jwksUri)}`);
  const audiences = (values["api-audiences"] as string[] | undefined) ?? [];
  return { issuers: [first, ...others], ...(jwksUri ? { jwksUri } : {}), audiences: audiences.length ? audiences : [first, ...others] };
}

function parseOidc(values: SettingValues, optional: (name: string) => string | undefined): OidcSettings | undefined {
  const issuerUrl = optional("oidc-issuer-url"), clientId = optional("oidc-client-id");
  if (!issuerUrl && !clientId) return undefined;
  if (!issuerUrl || !clientId) throw new UsageError("--oidc-issuer-url and --oidc-client-id belong together: give both");
  if (!URL.canParse(issuerUrl) || new URL(issuerUrl).protocol !== "https:") throw new UsageError(`--oidc-issuer-url must begin with https://, not ${JSON.stringify(issuerUrl)}`);
  const signingAlgorithms = (values["oidc-signing-algs"] as string[] | undefined) ?? ["RS256"];
  for (const algorithm of signingAlgorithms) if (!algorithms.includes(algorithm)) throw new UsageError(`--oidc-signing-algs must be of ${algorithms.join(", ")}, not ${JSON.stringify(algorithm)}`);
  const usernameClaim = optional("oidc-username-claim") ?? "sub";
  const prefix = optional("oidc-username-prefix") ?? (usernameClaim === "email" ? "-" : `${issuerUrl}#`);
  const groupsClaim = optional("oidc-groups-claim"), caFile = optional("oidc-ca-file");
  return {
    issuerUrl, audiences: [clientId], usernameClaim, usernamePrefix: prefix === "-" ? "" : prefix, groupsPrefix: optional("oidc-groups-prefix") ?? "",
    ...(groupsClaim ? { groupsClaim } : {}), ...(caFile ? { ca: read(caFile, "--oidc-ca-file") } : {}), signingAlgorithms,
    requiredClaims: Object.fromEntries(((values["oidc-required-claim"] as string[] | undefined) ?? []).map(claim)),
  };
}

function claim(item: string): [string, string] {
  const equals = item.indexOf("=");
  if (equals < 1) throw new UsageError(`--oidc-required-claim ${JSON.stringify(item)} must look like key=value`);
  return [item.slice(0, equals), item.slice(equals + 1)];
}

function read(file: string, flag: string): string {
  if (!existsSync(file)) throw new UsageError(`${flag} ${file} does not exist`);
  return readFileSync(file, "utf8");
}
