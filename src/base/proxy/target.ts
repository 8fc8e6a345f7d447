/** Where a proxied request goes. `path` and `search` are as they stand in a URL, the search without its question mark. */
export interface ProxyTarget {
  scheme: "http" | "https";
  host: string;
  port: number;
  path: string;
  search: string;
}

export const authority = ({ host, port }: { host: string; port: number }): string => `${host.includes(":") ? `[${host}]` : host}:${port}`;

export const pathOf = ({ path, search }: ProxyTarget): string => (search ? `${path}?${search}` : path);
