import { BlockList, isIPv6 } from "node:net";
import { badRequest, noSuchPath } from "../../../apimachinery/status.ts";
import type { Exchange } from "../../exchange.ts";

/** `name`, `name:port` or `scheme:name:port`, as the path of a proxy request names its target. `what` names it in a refusal. */
export function splitTarget(what: "node" | "pod" | "service", text: string): { scheme: "http" | "https"; name: string; port: string } {
  const parts = text.split(":");
  const [scheme, name, port] = parts.length === 3 ? parts : parts.length === 2 ? ["", ...parts] : ["", text, ""];
  if (parts.length > 3 || !name || (scheme !== "" && scheme !== "http" && scheme !== "https")) throw badRequest(`invalid ${what} request ${JSON.stringify(text)}`);
  return { scheme: scheme === "https" ? "https" : "http", name, port: port! };
}

/** The URL up to `/proxy`, below which the target's paths are; undefined for no proxy's. */
export const prefixOfProxy = (url: string): string | undefined => /^\/api\/v1\/(?:namespaces\/[^/]+\/)?[^/]+\/[^/]+\/proxy(?=[/?]|$)/.exec(url)?.[0];

/** What follows `/proxy` in the URL as sent, still percent-encoded; always begins with a slash. */
export function pathBehindProxy(url: string): string {
  const match = /^\/api\/v1\/(?:namespaces\/[^/]+\/)?[^/]+\/[^/]+\/proxy(\/[^?]*)?(?:\?|$)/.exec(url);
  if (!match) throw noSuchPath();
  return match[1] ?? "/";
}

/**
 * Sends a browser that asks for the bare `…/proxy` to `…/proxy/`, below which relative links lead to the target too; false for what is to be handed on.
 * Source: k8s.io/apimachinery/pkg/util/proxy, for https://github.com/kubernetes/kubernetes/issues/4958
 */
export function redirectedToRoot({ request: { method, url, headers }, response }: Exchange): boolean {
  const [path = "", search] = url.split(/\?(.*)/s);
  if (!/^\/api\/v1\/(?:namespaces\/[^/]+\/)?[^/]+\/[^/]+\/proxy$/.test(path) || (method !== "GET" && method !== "HEAD") || headers["upgrade"] !== undefined) return false;
  response.send(301, { Location: `${path}/${search === undefined || search === "" ? "" : `?${search}`}` });
  return true;
}

export function searchOf(url: string): string {
  const mark = url.indexOf("?");
  return mark < 0 ? "" : url.slice(mark + 1);
}

const localAddresses = new BlockList();
localAddresses.addSubnet("127.0.0.0", 8, "ipv4");
localAddresses.addSubnet("169.254.0.0", 16, "ipv4");
localAddresses.addSubnet("224.0.0.0", 4, "ipv4");
localAddresses.addAddress("0.0.0.0", "ipv4");
localAddresses.addSubnet("fe80::", 10, "ipv6");
localAddresses.addSubnet("ff00::", 8, "ipv6");
localAddresses.addAddress("::", "ipv6");
localAddresses.addAddress("::1", "ipv6");

/** Addresses that would reach this machine or its link instead of a pod: whoever writes a pod's status could name them. */
export const isLocal = (address: string): boolean => localAddresses.check(address, isIPv6(address) ? "ipv6" : "ipv4");
