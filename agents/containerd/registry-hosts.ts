import type { Mirror, Registries, RegistryAuth, RegistryTls } from "./registries.ts";

/** Docker Hub has another name than its images say. */
const dockerHub = "docker.io", dockerHubServer = "https://registry-1.docker.io";

/** What lies in a registry's folder: files by name with their content, and links by name to files of the administrator's. */
export interface RegistryFolder {
  files: Readonly<Record<string, string>>;
  links: Readonly<Record<string, string>>;
}

/**
 * What containerd reads below its `config_path`, a folder for each registry, at each pull: hosts.toml, or certificates alone under Docker's names.
 * https://github.com/containerd/containerd/blob/release/1.6/docs/hosts.md. What hosts.toml says of the registry itself, outside any host's
 * table, containerd 1.6 doesn't heed: TLS settings stand in a table of the registry's own. A mirror that wants what containerd has no means for is
 * left out, and told of.
 */
export function registryFolders({ mirrors, configs }: Registries, onProblem: (problem: string) => void): Map<string, RegistryFolder> {
  const folders = new Map<string, RegistryFolder>();
  const names = new Set([...Object.keys(mirrors), ...Object.keys(configs).filter((host) => host !== "*" && configs[host]!.tls)]);
  if (configs["*"]) onProblem('configs of "*" are left out: containerd knows credentials and certificates of single registries alone, so name each');
  for (const name of names) {
    const { endpoint = [], rewrite = {} } = mirrors[name] ?? mirrorOfAll(mirrors["*"], name);
    const any = name === "*";
    const prefix = prefixOf(rewrite);
    if (prefix === undefined) onProblem(`the mirrors of ${JSON.stringify(name)} are left out: containerd can put all images below another name, as the rewrite "^(.*)$": "prefix/$1" does, and has no other`);
    const tables = prefix === undefined ? [] : endpoint.map((url) => hostTable(url, prefix, configs));
    const tls = any ? undefined : configs[name]?.tls;
    folders.set(any ? "_default" : name, tables.length === 0 && onlyCertificates(tls) && !isLoopback(name) ? { files: {}, links: certificateLinks(tls) } : { files: { "hosts.toml": hostsToml(any ? undefined : serverOf(name, endpoint), tables, tls) }, links: {} });
  }
  return folders;
}

/** A folder of its own hides what is said of all from containerd. The mirror itself is asked directly. */
const mirrorOfAll = (mirror: Mirror = {}, name: string): Mirror => (mirror.endpoint?.some((url) => hostOf(url) === name) ? {} : mirror);

const hostOf = (url: string): string => url.split("/")[2]!;

function hostsToml(server: string | undefined, mirrors: readonly string[][], tls: RegistryTls | undefined): string {
  const own = server && tls ? ["", `[host.${text(server)}]`, ...tlsLines(tls)] : [];
  return `${[...(server ? [`server = ${text(server)}`] : []), ...mirrors.flat(), ...own].join("\n")}\n`;
}

/** Then no table is needed beside the registry's own address, and a tag that isn't there is told as just that. */
const onlyCertificates = (tls: RegistryTls | undefined): tls is RegistryTls => tls !== undefined && !tls.insecure_skip_verify;

const certificateLinks = ({ ca_file: ca, cert_file: cert, key_file: key }: RegistryTls): Record<string, string> => ({ ...(ca ? { "ca.crt": ca } : {}), ...(cert && key ? { "client.cert": cert, "client.key": key } : {}) });

/** containerd speaks to these without TLS, whatever certificates there are, unless an address says otherwise. */
const isLoopback = (name: string): boolean => /^(localhost|127\.[\d.]+|\[::1\])(:\d+)?$/.test(name);

/** Credentials by host, for containerd's own configuration: hosts.toml has no place for them. */
export const authsOf = ({ configs }: Registries): Record<string, RegistryAuth> => Object.fromEntries(Object.entries(configs).flatMap(([host, { auth }]) => (auth && host !== "*" ? [[host === dockerHub ? new URL(dockerHubServer).host : host, auth]] : [])));

/** A registry that is named as its own mirror is reached as it says there: without TLS, for one. */
function serverOf(name: string, endpoints: readonly string[]): string {
  const own = endpoints.find((url) => hostOf(url) === name);
  return name === dockerHub ? dockerHubServer : own ? new URL(own).origin : `https://${name}`;
}

function hostTable(url: string, prefix: string, configs: Registries["configs"]): string[] {
  const { protocol, host, pathname } = new URL(url);
  const path = pathname === "/" ? "/v2" : pathname;
  // A path of its own stands in place of /v2, which all others have without being told.
  const own = path !== "/v2" || prefix !== "";
  const address = own ? `${protocol}//${host}${path}${prefix && `/${prefix}`}` : `${protocol}//${host}`;
  return ["", `[host.${text(address)}]`, '  capabilities = ["pull", "resolve"]', ...(own ? ["  override_path = true"] : []), ...tlsLines(configs[host]?.tls)];
}

function tlsLines(tls: RegistryTls = {}): string[] {
  const { ca_file: ca, cert_file: cert, key_file: key, insecure_skip_verify: skip } = tls;
  return [...(ca ? [`  ca = [${text(ca)}]`] : []), ...(cert && key ? [`  client = [[${text(cert)}, ${text(key)}]]`] : []), ...(skip ? ["  skip_verify = true"] : [])];
}

/** The one kind of rewrite that containerd can do: everything below another name. Empty for none, undefined for another kind. */
function prefixOf(rewrite: Readonly<Record<string, string>>): string | undefined {
  const [[pattern, replacement] = ["", ""], ...more] = Object.entries(rewrite);
  if (pattern === "") return "";
  return more.length === 0 && /^\^?\(\.[*+]\)\$?$/.test(pattern) ? /^(.+)\/\$\{?1\}?$/.exec(replacement)?.[1] : undefined;
}

const text = (value: string): string => JSON.stringify(value);
