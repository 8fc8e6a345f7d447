import type { Registries, RegistryAuth } from "./registries.ts";

/** Docker Hub has another name than its images say. */
const dockerHub = "docker.io", dockerHubServer = "https://registry-1.docker.io";

/**
 * What containerd reads below its `config_path`: a folder for each registry, with the content of its hosts.toml. It reads them at each pull.
 * https://github.com/containerd/containerd/blob/release/1.6/docs/hosts.md. A mirror that wants what containerd has no means for is left out, and told of.
 */
export function hostsFiles({ mirrors, configs }: Registries, onProblem: (problem: string) => void): Map<string, string> {
  const files = new Map<string, string>();
  const names = new Set([...Object.keys(mirrors), ...Object.keys(configs).filter((host) => configs[host]!.tls)]);
  for (const name of names) {
    const { endpoint = [], rewrite = {} } = mirrors[name] ?? {};
    const any = name === "*";
    const prefix = prefixOf(rewrite);
    if (prefix === undefined) onProblem(`the mirrors of ${JSON.stringify(name)} are left out: containerd can put all images below another name, as the rewrite "^(.*)$": "prefix/$1" does, and has no other`);
    const tables = prefix === undefined ? [] : endpoint.map((url) => hostTable(url, prefix, configs));
    const server = any ? [] : [`server = ${text(serverOf(name))}`, ...tlsLines(configs[name]?.tls)];
    files.set(any ? "_default" : name, `${[...server, ...tables.flat()].join("\n")}\n`);
  }
  return files;
}

/** Credentials by host, for containerd's own configuration: hosts.toml has no place for them. */
export const authsOf = ({ configs }: Registries): Record<string, RegistryAuth> => Object.fromEntries(Object.entries(configs).flatMap(([host, { auth }]) => (auth ? [[host === dockerHub ? new URL(dockerHubServer).host : host, auth]] : [])));

const serverOf = (name: string): string => (name === dockerHub ? dockerHubServer : `https://${name}`);

function hostTable(url: string, prefix: string, configs: Registries["configs"]): string[] {
  const { protocol, host, pathname } = new URL(url);
  const path = pathname === "/" ? "/v2" : pathname;
  // A path of its own stands in place of /v2, which all others have without being told.
  const own = path !== "/v2" || prefix !== "";
  const address = own ? `${protocol}//${host}${path}${prefix && `/${prefix}`}` : `${protocol}//${host}`;
  return ["", `[host.${text(address)}]`, '  capabilities = ["pull", "resolve"]', ...(own ? ["  override_path = true"] : []), ...tlsLines(configs[host]?.tls).map((line) => `  ${line}`)];
}

function tlsLines(tls: Registries["configs"][string]["tls"]): string[] {
  if (!tls) return [];
  const { ca_file: ca, cert_file: cert, key_file: key, insecure_skip_verify: skip } = tls;
  return [...(ca ? [`ca = [${text(ca)}]`] : []), ...(cert && key ? [`client = [[${text(cert)}, ${text(key)}]]`] : []), ...(skip ? ["skip_verify = true"] : [])];
}

/** The one kind of rewrite that containerd can do: everything below another name. Empty for none, undefined for another kind. */
function prefixOf(rewrite: Readonly<Record<string, string>>): string | undefined {
  const [[pattern, replacement] = ["", ""], ...more] = Object.entries(rewrite);
  if (pattern === "") return "";
  return more.length === 0 && /^\^?\(\.[*+]\)\$?$/.test(pattern) ? /^(.+)\/\$\{?1\}?$/.exec(replacement)?.[1] : undefined;
}

const text = (value: string): string => JSON.stringify(value);
