import { attribute, attributesOf, bytesOf, flags, message, type NetlinkMessage } from "./netlink-messages.ts";
import { Requests } from "./netfilter-socket.ts";

/** One end of a connection. */
export interface FlowEnd {
  ip: string;
  port: number;
}

/** A connection that the kernel tracks: sent to `to`, answered by `by`. They differ when addresses are translated. */
export interface Flow {
  to: FlowEnd;
  by: FlowEnd;
}

/** The kernel's memory of connections. Throws `NftablesError`. */
export interface Conntrack {
  /** Deletes the flows of a protocol (its number) that the test says yes to, with one look at all, and returns how many. */
  forget(family: "ip" | "ip6", protocol: number, test: (flow: Flow) => boolean): number;
}

export const udp = 17;

const subsystem = 1 << 8, get = subsystem | 1, remove = subsystem | 2;
const addressFamily = { ip: 2, ip6: 10 } as const;
/** CTA_TUPLE_ORIG, CTA_TUPLE_REPLY, CTA_ID; within a tuple CTA_TUPLE_IP and CTA_TUPLE_PROTO. */
const tupleOriginal = 1, tupleReply = 2, identity = 12, tupleIp = 1, tupleProtocol = 2;
/** Deletions in one call to the kernel at most. */
const batch = 500;

interface Tuple {
  protocol: number;
  source: FlowEnd;
  destination: FlowEnd;
}

/** The running kernel's, in the calling thread's network namespace. */
export function openConntrack(): Conntrack {
  const requests = new Requests();
  return {
    forget(family, protocol, test) {
      const doomed: Uint8Array[] = [];
      for (const entry of requests.exchange(message({ type: get, flags: flags.request | flags.dump, family: addressFamily[family] }))) {
        const attributes = attributesOf(entry.body), original = tupleOf(attributes.get(tupleOriginal)), reply = tupleOf(attributes.get(tupleReply));
        if (original?.protocol === protocol && reply && test({ to: original.destination, by: reply.source })) doomed.push(deletionOf(entry, attributes));
      }
      for (let at = 0; at < doomed.length; at += batch) requests.send(doomed.slice(at, at + batch));
      return doomed.length;
    },
  };
}

/** That very entry, not one that takes its place meanwhile. */
const deletionOf = ({ family }: NetlinkMessage, attributes: ReadonlyMap<number, DataView>): Uint8Array => message({
  type: remove, flags: flags.request, family,
  attributes: [attribute(tupleOriginal, bytesOf(attributes.get(tupleOriginal)!), { holdsOthers: true }), ...(attributes.has(identity) ? [attribute(identity, bytesOf(attributes.get(identity)!))] : [])],
});

function tupleOf(value: DataView | undefined): Tuple | undefined {
  if (!value) return undefined;
  const parts = attributesOf(value), ips = parts.get(tupleIp), transport = parts.get(tupleProtocol);
  if (!ips || !transport) return undefined;
  const addresses = attributesOf(ips), numbers = attributesOf(transport);
  const end = (v4: number, v6: number, port: number): FlowEnd => ({ ip: addressText(addresses.get(v4) ?? addresses.get(v6)), port: numbers.get(port)?.getUint16(0) ?? 0 });
  return { protocol: numbers.get(1)?.getUint8(0) ?? 0, source: end(1, 3, 2), destination: end(2, 4, 3) };
}

/** As nftables prints it. */
function addressText(value: DataView | undefined): string {
  if (!value) return "";
  if (value.byteLength === 4) return bytesOf(value).join(".");
  const groups = Array.from({ length: 8 }, (_, i) => value.getUint16(i * 2).toString(16));
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
