import { load } from "js-yaml";

/** How to log in to a registry. */
export interface RegistryAuth {
  username?: string;
  password?: string;
  /** Base64 of `username:password`. */
  auth?: string;
  identity_token?: string;
}

export interface RegistryTls {
  ca_file?: string;
  cert_file?: string;
  key_file?: string;
  insecure_skip_verify?: boolean;
}

export interface Mirror {
  endpoint?: string[];
  rewrite?: Record<string, string>;
}

/** What `registries.yaml` says, in K3s' words: https://docs.k3s.io/installation/private-registry. */
export interface Registries {
  mirrors: Readonly<Record<string, Mirror>>;
  configs: Readonly<Record<string, { auth?: RegistryAuth; tls?: RegistryTls }>>;
}

export const noRegistries: Registries = { mirrors: {}, configs: {} };

/** Throws an Error with a sentence for the first mistake. */
export function parseRegistries(text: string): Registries {
  let content: unknown = {};
  try {
    // A file of comments alone is no document.
    if (!text.split("\n").every((line) => /^\s*(#|$)/.test(line))) content = load(text) ?? {};
  } catch (error) {
    throw new Error(`it is not valid YAML: ${(error as Error).message.split("\n")[0]}`, { cause: error });
  }
  const { mirrors = {}, configs = {} } = table(content, "the file", ["mirrors", "configs"]) as { mirrors?: unknown; configs?: unknown };
  return {
    mirrors: mapped(mirrors, "mirrors", (mirror, where) => {
      const { endpoint = [], rewrite = {} } = table(mirror ?? {}, where, ["endpoint", "rewrite"]) as { endpoint?: unknown; rewrite?: unknown };
      if (!Array.isArray(endpoint)) throw new Error(`${where}.endpoint must be a list of URLs`);
      return { endpoint: endpoint.map((url) => endpointOf(String(url), where)), rewrite: mapped(rewrite, `${where}.rewrite`, String) };
    }),
    configs: mapped(configs, "configs", (config, where) => {
      const { auth, tls } = table(config ?? {}, where, ["auth", "tls"]) as { auth?: unknown; tls?: unknown };
      return {
        ...(auth ? { auth: mapped(table(auth, `${where}.auth`, ["username", "password", "auth", "identity_token"]), where, String) } : {}),
        ...(tls ? { tls: table(tls, `${where}.tls`, ["ca_file", "cert_file", "key_file", "insecure_skip_verify"]) as RegistryTls } : {}),
      };
    }),
  };
}

function table(value: unknown, where: string, keys: readonly string[]): Record<string, unknown> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${where} must hold ${keys.join(", ")}`);
  const unknown = Object.keys(value).find((key) => !keys.includes(key));
  if (unknown !== undefined) throw new Error(`${where} has ${JSON.stringify(unknown)}; it may have ${keys.join(", ")}`);
  return value as Record<string, unknown>;
}

function mapped<T>(value: unknown, where: string, read: (item: unknown, where: string) => T): Record<string, T> {
  if (typeof value !== "object" || value === null || Array.isArray(value)) throw new Error(`${where} must be "name: value" lines`);
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, read(item, `${where}.${JSON.stringify(key)}`)]));
}

/** Bare hosts are reached over TLS. */
function endpointOf(text: string, where: string): string {
  const url = text.includes("://") ? text : `https://${text}`;
  if (!URL.canParse(url) || !/^https?:/.test(url)) throw new Error(`${where} has the endpoint ${JSON.stringify(text)}: it must be a URL such as https://registry.example.com:5000`);
  return url.replace(/\/+$/, "");
}
