import type { Backend } from "./backend.ts";
import type { Route, Routes, Site } from "./routes.ts";

export interface NginxSettings {
  /** Sockets, temporary files and keys: on a tmpfs. */
  directory: string;
  httpPort: number;
  httpsPort: number;
  /** Whether the kernel has IPv6. */
  ipv6: boolean;
  /** Who the workers run as: a user, and a group where that has another name. */
  user: string;
  workers: number;
  /** The name servers for names outside of the cluster. */
  resolvers: readonly string[];
}

/** Where the certificate of a Secret `namespace/name` lies in `directory`; no name makes the one of last resort. */
export const certificateFile = (directory: string, key?: string): string => `${directory}/certificates/${key?.replace("/", "_") ?? "own"}.pem`;
/** A socket that answers with the generation that is being served. */
export const statusSocket = (directory: string): string => `${directory}/status.sock`;

const notServed = 404, nothingReady = 503;

/** The whole configuration of nginx for `routes`. `generation` tells one from the next. Source: https://nginx.org/en/docs/http/ngx_http_core_module.html */
export function nginxConfig({ sites }: Pick<Routes, "sites">, settings: NginxSettings, generation: number): string {
  const { directory, user, workers, resolvers } = settings;
  const upstreams = upstreamsOf(sites);
  const rest = sites.find(({ host }) => host === "") ?? { host: "", routes: [], redirectToHttps: false };
  // Regular expressions are tried in their order: the longest name first.
  const others = sites.filter(({ host }) => host !== "").toSorted((a, b) => b.host.length - a.host.length || a.host.localeCompare(b.host));
  return [
    `daemon off;`, `user ${user};`, `worker_processes ${workers};`, `worker_shutdown_timeout 10m;`, `pid ${quoted(`${directory}/nginx.pid`)};`, `error_log stderr warn;`, `events { worker_connections 2048; }`,
    `http {`,
    ...["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `  ${name}_temp_path ${quoted(`${directory}/temp/${name}`)};`),
    `  access_log off;`, `  server_tokens off;`, `  server_names_hash_max_size 8192;`, `  server_names_hash_bucket_size 256;`, `  variables_hash_bucket_size 128;`,
    // Neither side waits for the other's whole message: uploads, downloads and events pass as they come.
    `  proxy_http_version 1.1;`, `  proxy_buffering off;`, `  proxy_request_buffering off;`, `  client_max_body_size 0;`, `  proxy_connect_timeout 5s;`, `  proxy_read_timeout 1h;`, `  proxy_send_timeout 1h;`,
    `  proxy_ssl_server_name on;`,
    `  map $http_upgrade $connection_header { default upgrade; "" ""; }`,
    `  proxy_set_header Host $http_host;`, `  proxy_set_header Upgrade $http_upgrade;`, `  proxy_set_header Connection $connection_header;`,
    // What the client claims of itself is not passed on.
    `  proxy_set_header X-Real-IP $remote_addr;`, `  proxy_set_header X-Forwarded-For $remote_addr;`, `  proxy_set_header X-Forwarded-Host $http_host;`, `  proxy_set_header X-Forwarded-Port $server_port;`, `  proxy_set_header X-Forwarded-Proto $scheme;`,
    `  ssl_protocols TLSv1.2 TLSv1.3;`, `  ssl_session_cache shared:ssl:1m;`,
    ...(resolvers.length > 0 ? [`  resolver ${resolvers.map((address) => (address.includes(":") ? `[${address}]` : address)).join(" ")};`] : []),
    `  server { listen unix:${statusSocket(directory)}; location / { return 200 "${generation}\\n"; } }`,
    ...[...upstreams].map(([servers, name]) => `  upstream ${name} { ${servers.split(" ").map((server) => `server ${server} max_fails=0;`).join(" ")} keepalive 16; keepalive_timeout 20s; }`),
    ...server(rest, settings, upstreams, true),
    ...others.flatMap((site) => server(site, settings, upstreams, false)),
    `}`, ``,
  ].join("\n");
}

/** One name for each set of servers, so that connections to it are shared. */
function upstreamsOf(sites: readonly Site[]): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const { routes } of sites) for (const { backend } of routes) {
    if (backend.kind !== "addresses") continue;
    const servers = backend.servers.join(" ");
    if (!names.has(servers)) names.set(servers, `servers_${names.size}`);
  }
  return names;
}

function server(site: Site, settings: NginxSettings, upstreams: ReadonlyMap<string, string>, isDefault: boolean): string[] {
  const { directory, httpPort, httpsPort, ipv6 } = settings;
  const listen = (port: number, options: string): string[] => ["", ...(ipv6 ? ["[::]:"] : [])].map((address) => `    listen ${address}${port}${options}${isDefault ? ` default_server${address ? " ipv6only=on" : ""}` : ""};`);
  const certificate = quoted(certificateFile(directory, site.certificate));
  const rest = site.routes.some(({ match, path }) => match === "prefix" && path === "/") ? [] : [`    location / { return ${notServed}; }`];
  return [
    `  server {`,
    ...listen(httpPort, ""), ...listen(httpsPort, " ssl http2"), `    server_name ${isDefault ? "_" : serverName(site.host)};`,
    `    ssl_certificate ${certificate};`, `    ssl_certificate_key ${certificate};`,
    ...(site.redirectToHttps ? [`    if ($scheme = http) { return 308 https://$host${httpsPort === 443 ? "" : `:${httpsPort}`}$request_uri; }`] : []),
    ...locations(site.routes).map(([location, backend]) => `    location ${location} { ${pass(backend, upstreams)} }`),
    ...rest,
    `  }`,
  ];
}

/** A wildcard stands for exactly one label, where nginx's own would stand for several. */
const serverName = (host: string): string => (host.startsWith("*.") ? `~^[^.]+${host.slice(1).replaceAll(".", "\\.")}$` : host);

/** A prefix of whole path elements is the path itself and all below it; the path itself may have a route of its own. */
function locations(routes: readonly Route[]): [location: string, backend: Backend][] {
  const exact = new Set(routes.filter(({ match }) => match === "exact").map(({ path }) => path));
  return routes.flatMap(({ match, path, backend }): [string, Backend][] => {
    if (match === "exact") return [[`= ${quoted(path)}`, backend]];
    if (path === "/") return [["/", backend]];
    return [...(exact.has(path) ? [] : [[`= ${quoted(path)}`, backend] satisfies [string, Backend]]), [`^~ ${quoted(`${path}/`)}`, backend]];
  });
}

function pass(backend: Backend, upstreams: ReadonlyMap<string, string>): string {
  switch (backend.kind) {
    case "addresses":
      return `proxy_pass ${backend.scheme}://${upstreams.get(backend.servers.join(" "))};`;
    case "name":
      // By a variable: the name is looked up when it is asked for, and again when its time has passed.
      return `set $target ${backend.name}:${backend.port}; proxy_ssl_name ${backend.name}; proxy_pass ${backend.scheme}://$target;`;
    case "none":
      return `return ${nothingReady};`;
  }
}

const quoted = (text: string): string => `"${text.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
