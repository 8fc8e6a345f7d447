import { X509Certificate } from "node:crypto";
import type { Membership } from "./membership.ts";

const day = 24 * 3600_000;
/** A certificate lasts a year; with less than a third of that left it is renewed. Its own beginning tells nothing: it is the epoch. */
const renewBeforeMs = 122 * day;

/** Why this node needs new certificates now; undefined when those it has will do. `now` in milliseconds since the epoch. */
export function renewalReason(membership: Membership, { now, nodeName, addresses }: { now: number; nodeName: string; addresses: readonly string[] }): string | undefined {
  if (membership.nodeName !== nodeName) return "the node has another name";
  if (!addresses.every((address) => membership.addresses.includes(address))) return "the node has other addresses";
  const ends = Math.min(...Object.values(membership.pairs).map(({ certificate }) => Date.parse(new X509Certificate(certificate).validTo)));
  if (ends - now < renewBeforeMs) return ends < now ? "the certificates have expired" : "the certificates expire soon";
  return undefined;
}
