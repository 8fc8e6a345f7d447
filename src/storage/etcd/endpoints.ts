/** Where a member of etcd answers clients. */
export interface Endpoint {
  /** As the user wrote it, for messages. */
  url: string;
  host: string;
  port: number;
  tls: boolean;
}

/** Reads `https://host:2379,…`. Throws a `TypeError` that says what is wrong with which of them. */
export function parseEndpoints(text: string): Endpoint[] {
  const urls = text.split(",").map((url) => url.trim()).filter((url) => url !== "");
  if (urls.length === 0) throw new TypeError("no endpoint is given");
  const endpoints = urls.map(parseEndpoint);
  if (new Set(endpoints.map(({ tls }) => tls)).size > 1) throw new TypeError("some endpoints begin with http:// and some with https://: all members of an etcd cluster speak one of them");
  return endpoints;
}

/** What goes into logs. */
const withoutCredentials = (url: string): string => url.replace(/\/\/[^/]*@/, "//…@");

/** One of them. */
export function parseEndpoint(url: string): Endpoint {
  const parsed = /^https?:\/\//.test(url) ? URL.parse(url) : null;
  if (!parsed || !["", "/"].includes(parsed.pathname) || parsed.search || parsed.hash || parsed.username) throw new TypeError(`${JSON.stringify(withoutCredentials(url))} is not an address such as https://10.0.0.5:2379`);
  const tls = parsed.protocol === "https:";
  // An URL without its scheme's port is told apart from none: etcd's own is meant then.
  const port = parsed.port ? Number(parsed.port) : 2379;
  return { url, host: parsed.hostname.replace(/^\[|\]$/g, ""), port, tls };
}
