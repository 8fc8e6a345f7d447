import { func, method, type Library } from "../function.ts";
import { boolType, listType, mapType, stringType, structType, type CelType } from "../type.ts";
import { quoted } from "../values/strings.ts";
import { CelError, ListOf, MapOf, Opaque, type Value } from "../values/value.ts";

export const urlType: CelType = structType("kubernetes.URL");

class UrlValue extends Opaque {
  readonly type = urlType;
  constructor(readonly text: string, readonly scheme: string, readonly host: string, readonly path: string, readonly query: string) {
    super();
  }
  equals(other: UrlValue): boolean {
    return this.text === other.text;
  }
  get hostname(): string {
    const bare = this.host.replace(/:\d*$/, "");
    return bare.startsWith("[") ? bare.slice(1, bare.indexOf("]")) : bare;
  }
  get port(): string {
    return /:(\d*)$/.exec(this.host)?.[1] ?? "";
  }
}

/** What Go's url.ParseRequestURI takes: an absolute URI or an absolute path, without a fragment of its own. */
function parse(text: string): UrlValue | CelError {
  const refuse = (why: string): CelError => new CelError(`URL parse error during conversion from string: parse ${quoted(text)}: ${why}`);
  if (text === "") return refuse("empty url");
  if (/[^\P{Cc}\u0080-\u009f]/u.test(text)) return refuse("net/url: invalid control character in URL");
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]*):/.exec(text);
  if (!scheme && text.startsWith(":")) return refuse("missing protocol scheme");
  if (!scheme && !text.startsWith("/")) return refuse("invalid URI for request");
  const rest = scheme ? text.slice(scheme[0].length) : text;
  if (scheme && !rest.startsWith("/")) return refuse("invalid URI for request");
  const [beforeFragment] = rest.split("#", 1) as [string];
  const mark = beforeFragment.indexOf("?");
  const hierarchy = mark < 0 ? beforeFragment : beforeFragment.slice(0, mark);
  const authority = (scheme || !rest.startsWith("///")) && hierarchy.startsWith("//") ? /^\/\/([^/]*)/.exec(hierarchy)![1]! : "";
  const path = authority || (scheme && hierarchy.startsWith("//")) ? hierarchy.slice(2 + authority.length) : hierarchy;
  const badEscape = /%(?![0-9a-fA-F]{2}).{0,2}/.exec(path + authority);
  if (badEscape) return refuse(`invalid URL escape ${quoted(badEscape[0])}`);
  const host = authority.slice(authority.lastIndexOf("@") + 1);
  if (/[\s<>"\\^`{|}]/.test(host)) return refuse(`invalid character ${quoted(/[\s<>"\\^`{|}]/.exec(host)![0])} in host name`);
  const port = /^(?:\[[^\]]*\]|[^:]*)(:.*)?$/.exec(host);
  if (!port || (host.startsWith("[") && !host.includes("]"))) return refuse("missing ']' in host");
  if (port[1] && !/^:\d*$/.test(port[1])) return refuse(`invalid port ${quoted(port[1])} after host`);
  return new UrlValue(text, scheme?.[1]!.toLowerCase() ?? "", decodePercent(host), path, mark < 0 ? "" : beforeFragment.slice(mark + 1));
}

function decodePercent(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

function query({ query: text }: UrlValue): Value {
  const values = new Map<string, string[]>();
  for (const part of text.split("&")) {
    if (part === "" || part.includes(";")) continue;
    const [key, value] = [part.split("=", 1)[0]!, part.slice(part.split("=", 1)[0]!.length + 1)].map((one) => decodePercent(one.replaceAll("+", " "))) as [string, string];
    const same = values.get(key);
    if (same) same.push(value);
    else values.set(key, [value]);
  }
  const map = new MapOf();
  for (const [key, list] of values) map.add(key, new ListOf(list));
  return map;
}

/** Characters that a path may not hold as they are become escapes. */
const escapedPath = ({ path }: UrlValue): string => path.replace(/[^A-Za-z0-9\-._~!$&'()*+,;=:@/%[\]]/gu, (character) => encodeURIComponent(character.toWellFormed()));

export const urls: Library = {
  url: [func("string_to_url", [stringType], urlType, parse)],
  isURL: [func("is_url_string", [stringType], boolType, (text: string) => parse(text) instanceof UrlValue)],
  getScheme: [method("url_get_scheme", [urlType], stringType, ({ scheme }: UrlValue) => scheme)],
  getHost: [method("url_get_host", [urlType], stringType, ({ host }: UrlValue) => host)],
  getHostname: [method("url_get_hostname", [urlType], stringType, ({ hostname }: UrlValue) => hostname)],
  getPort: [method("url_get_port", [urlType], stringType, ({ port }: UrlValue) => port)],
  getEscapedPath: [method("url_get_escaped_path", [urlType], stringType, escapedPath)],
  getQuery: [method("url_get_query", [urlType], mapType(stringType, listType(stringType)), query)],
};
