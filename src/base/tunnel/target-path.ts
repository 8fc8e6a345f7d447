import type { ProxyTarget } from "../proxy/target.ts";

/** How a server asks an agent for a request towards `target`. */
export const targetPath = ({ scheme, host, port, path, search }: ProxyTarget): string => `/${scheme}/${encodeURIComponent(host)}/${port}${path}${search ? `?${search}` : ""}`;

/** The target of such a path; undefined for what is none. */
export function targetOf(url: string): ProxyTarget | undefined {
  const match = /^\/(https?)\/([^/?]+)\/(\d{1,5})(\/[^?]*)(?:\?(.*))?$/s.exec(url);
  if (!match) return undefined;
  const [, scheme, host, port, path, search = ""] = match;
  return { scheme: scheme as ProxyTarget["scheme"], host: decodeURIComponent(host!), port: Number(port), path: path!, search };
}
