import { AUTHORITATIVE_ANSWER, decode, encode, RECURSION_AVAILABLE, TRUNCATED_RESPONSE, type DecodedPacket, type Packet } from "dns-packet";
import type { Logger } from "../../src/base/log.ts";
import type { RecordSource } from "./records.ts";
import type { Upstream } from "./upstream.ts";
import { resolve, type Resolution } from "./zone.ts";

export interface DnsOptions {
  address: string;
  port: number;
  /** `cluster.local` */
  domain: string;
  records: RecordSource;
  upstream: Upstream;
  log: Logger;
}

const classicUdpSize = 512;
const largestUdpSize = 1232;
const rcodes = { NOERROR: 0, FORMERR: 1, SERVFAIL: 2, NXDOMAIN: 3 } as const;
const negativeTtl = 5;
const tcpIdleSeconds = 10;
const maxTcpQuery = 4096;

/** The cluster's DNS, over UDP and TCP: Services from memory, everything else from the host's name servers. */
export async function serveDns(options: DnsOptions): Promise<{ port: number; close(): void }> {
  const { address, port, log } = options;
  const udp = await Bun.udpSocket({
    hostname: address, port,
    socket: {
      data(socket, query, peerPort, peer) {
        answer(options, Buffer.from(query), false).then((reply) => {
          if (reply) socket.send(reply, peerPort, peer);
        }).catch((error: unknown) => log.debug("query not answered", { error }));
      },
      // The kernel tells of an answer to a client that has gone, here or at the next send.
      error(_, error) {
        log.debug("answer not taken", { error });
      },
    },
  });
  const tcp = Bun.listen<{ received: Buffer }>({
    hostname: address, port: udp.port,
    socket: {
      open(socket) {
        socket.data = { received: Buffer.alloc(0) };
        socket.timeout(tcpIdleSeconds);
      },
      data(socket, bytes) {
        socket.data.received = Buffer.concat([socket.data.received, bytes]);
        for (let query = nextQuery(socket.data); query; query = nextQuery(socket.data)) {
          answer(options, query, true).then((reply) => {
            if (reply) socket.write(withLength(reply));
          }, () => socket.end());
        }
        if (socket.data.received.length > maxTcpQuery) socket.end();
      },
      timeout(socket) {
        socket.end();
      },
    },
  });
  return {
    port: udp.port,
    close() {
      udp.close();
      tcp.stop(true);
    },
  };
}

function nextQuery(state: { received: Buffer }): Buffer | undefined {
  if (state.received.length < 2) return undefined;
  const end = 2 + state.received.readUInt16BE(0);
  if (state.received.length < end) return undefined;
  const query = state.received.subarray(2, end);
  state.received = state.received.subarray(end);
  return query;
}

function withLength(reply: Buffer): Buffer {
  const framed = Buffer.alloc(2 + reply.length);
  framed.writeUInt16BE(reply.length);
  framed.set(reply, 2);
  return framed;
}

/** Undefined for what is no query at all. */
export async function answer(options: Pick<DnsOptions, "domain" | "records" | "upstream">, bytes: Buffer, overTcp: boolean): Promise<Buffer | undefined> {
  let query: DecodedPacket;
  try {
    query = decode(bytes);
  } catch {
    return bytes.length >= 12 ? formatError(bytes) : undefined;
  }
  const question = query.questions?.[0];
  if (query.type !== "query" || !question) return undefined;
  const resolution = resolve({ name: question.name, type: question.type }, options.domain, options.records);
  if (resolution) return fit(query, reply(query, resolution, options.domain), overTcp);
  try {
    return await options.upstream.query(bytes, overTcp);
  } catch {
    return encode({ ...header(query), flags: RECURSION_AVAILABLE | rcodes.SERVFAIL });
  }
}

function header(query: DecodedPacket): Packet {
  return { type: "response", id: query.id, questions: query.questions, additionals: query.additionals?.some((record) => record.type === "OPT") ? [edns] : [] };
}

const edns = { type: "OPT", name: ".", udpPayloadSize: largestUdpSize, flags: 0, options: [], ednsVersion: 0, extendedRcode: 0, flag_do: false } as never;

function reply(query: DecodedPacket, { rcode, answers, additionals }: Resolution, domain: string): Packet {
  const base = header(query);
  const soa = { type: "SOA", name: domain, ttl: negativeTtl, data: { mname: `ns.dns.${domain}`, rname: `hostmaster.${domain}`, serial: 1, refresh: 7200, retry: 1800, expire: 86400, minimum: negativeTtl } } as const;
  return { ...base, flags: AUTHORITATIVE_ANSWER | RECURSION_AVAILABLE | rcodes[rcode], answers, authorities: answers.length ? [] : [soa], additionals: [...additionals, ...(base.additionals ?? [])] };
}

/** Over UDP an answer that is too long is cut, and the client asks again over TCP. */
function fit(query: DecodedPacket, packet: Packet, overTcp: boolean): Buffer {
  const whole = encode(packet);
  const opt = query.additionals?.find((record) => record.type === "OPT") as { udpPayloadSize?: number } | undefined;
  const limit = Math.min(largestUdpSize, Math.max(classicUdpSize, opt?.udpPayloadSize ?? classicUdpSize));
  if (overTcp || whole.length <= limit) return whole;
  return encode({ ...packet, flags: (packet.flags ?? 0) | TRUNCATED_RESPONSE, answers: [], authorities: [], additionals: header(query).additionals });
}

/** The header alone, with QR and FORMERR set. */
function formatError(bytes: Buffer): Buffer {
  const head = Buffer.alloc(12);
  bytes.copy(head, 0, 0, 2);
  head.writeUInt16BE(0x8000 | rcodes.FORMERR, 2);
  return head;
}
