import { containsAddress, parseAddress, parseNetwork } from "../ip.ts";

/** `HTTP_PROXY`, `HTTPS_PROXY` and `NO_PROXY`, in upper or lower case. */
type ProxyVariables = Readonly<Record<string, string | undefined>>;

const names = ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"].flatMap((name) => [name, name.toLowerCase()]);
let taken: Record<string, string> = {};

/**
 * Takes the variables out of this process's environment, where `fetch` would find them: by its own rules, which know no networks in NO_PROXY, and for pods
 * and Services as well. From here on only those go by a proxy who ask for it.
 */
export function takeProxyVariables(environment: Record<string, string | undefined> = process.env): void {
  for (const name of names) {
    const value = environment[name];
    if (value === undefined) continue;
    taken = { ...taken, [name]: value };
    delete environment[name];
  }
}

/** What was taken, for programs that this one starts. */
export const proxyVariables = (): Readonly<Record<string, string>> => taken;

/** The option of `fetch` for a URL outside of the cluster. */
export function proxyOption(url: string): { proxy?: string } {
  const proxy = proxyFor(url);
  return proxy ? { proxy: proxy.href } : {};
}

/**
 * The proxy by which to go to a URL; undefined for the straight way. This machine is never reached by one. Throws for a proxy that is no URL.
 * Source: golang.org/x/net/http/httpproxy, by which Kubernetes, containerd and K3s go.
 */
export function proxyFor(url: string, variables: ProxyVariables = taken): URL | undefined {
  const { protocol, hostname, port } = new URL(url), secure = protocol === "https:" || protocol === "wss:";
  const value = secure ? variable(variables, "HTTPS_PROXY") : variable(variables, "HTTP_PROXY");
  if (!value) return undefined;
  const host = hostname.replace(/^\[|\]$/g, "").toLowerCase();
  if (isExcepted(host, port || (secure ? "443" : "80"), variable(variables, "NO_PROXY"))) return undefined;
  const text = value.includes("://") ? value : `http://${value}`;
  if (!URL.canParse(text)) throw new Error(`${secure ? "HTTPS_PROXY" : "HTTP_PROXY"} is no URL: ${value}`);
  return new URL(text);
}

const variable = (variables: ProxyVariables, name: string): string => variables[name] || variables[name.toLowerCase()] || "";

const ownNetworks = ["127.0.0.0/8", "::1/128"].map((text) => parseNetwork(text)!);

function isExcepted(host: string, port: string, exceptions: string): boolean {
  const address = parseAddress(host);
  if (host === "localhost" || (address && ownNetworks.some((own) => containsAddress(own, address)))) return true;
  return exceptions.split(",").map((entry) => entry.trim().toLowerCase()).some((entry) => {
    if (entry === "*") return true;
    const network = entry.includes("/") ? parseNetwork(entry) : undefined;
    if (network) return address !== undefined && containsAddress(network, address);
    const [, bracketed, plain, itsPort] = /^(?:\[([^\]]*)\]|([^:]*|.*:.*:.*))(?::(\d+))?$/.exec(entry) ?? [];
    const name = bracketed ?? plain ?? "";
    if (name === "" || (itsPort !== undefined && itsPort !== port)) return false;
    const itsAddress = parseAddress(name);
    if (itsAddress) return address?.family === itsAddress.family && address.value === itsAddress.value;
    const domain = name.replace(/^\*\./, ".");
    return domain.startsWith(".") ? host.endsWith(domain) : host === domain || host.endsWith(`.${domain}`);
  });
}
