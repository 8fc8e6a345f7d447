import { createSocket } from "node:dgram";
import { connect } from "node:net";
import { decode, encode, RECURSION_DESIRED, type DecodedPacket, type Packet } from "dns-packet";

/** The package tells the code, its types don't. */
export type Reply = DecodedPacket & { rcode: string };
export const read = (bytes: Buffer): Reply => decode(bytes) as Reply;

/** A query as another program makes it. */
export const queryOf = (name: string, type = "A", { udpSize, id = 77 }: { udpSize?: number; id?: number } = {}): Buffer => Buffer.from(encode({
  type: "query", id, flags: RECURSION_DESIRED, questions: [{ type: type as "A", name }],
  additionals: udpSize ? [{ type: "OPT", name: ".", udpPayloadSize: udpSize, flags: 0, options: [] } as never] : [],
}));

/** An answer as a name server makes it. */
export const answerOf = (query: Buffer, packet: Partial<Packet>, rcode = 0): Buffer => {
  const { id, questions } = read(query);
  return Buffer.from(encode({ type: "response", id, questions, ...packet, flags: (packet.flags ?? 0) | rcode }));
};

export function overUdp(bytes: Uint8Array, port: number, { address = "127.0.0.1", timeoutMs = 5000 }: { address?: string; timeoutMs?: number } = {}): Promise<Reply> {
  const socket = createSocket(address.includes(":") ? "udp6" : "udp4");
  return new Promise<Reply>((resolve, reject) => {
    socket.on("message", (reply) => resolve(read(reply)));
    socket.on("error", reject);
    socket.send(bytes, port, address);
    AbortSignal.timeout(timeoutMs).addEventListener("abort", () => reject(new Error("no answer")));
  }).finally(() => socket.close());
}

/** All queries in one connection, sent in one go; the answers in the order they came. */
export function overTcp(queries: readonly Uint8Array[], port: number, { address = "127.0.0.1", onAnswer }: { address?: string; onAnswer?(count: number): void } = {}): Promise<Reply[]> {
  const socket = connect(port, address);
  for (const bytes of queries) {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(bytes.length);
    socket.write(Buffer.concat([length, bytes]));
  }
  let received = Buffer.alloc(0);
  const answers: Reply[] = [];
  return new Promise<Reply[]>((resolve, reject) => {
    socket.on("error", reject).on("close", () => reject(new Error("closed")));
    socket.on("data", (chunk) => {
      received = Buffer.concat([received, chunk as Buffer]);
      while (received.length >= 2 && received.length >= 2 + received.readUInt16BE(0)) {
        answers.push(read(received.subarray(2, 2 + received.readUInt16BE(0))));
        received = received.subarray(2 + received.readUInt16BE(0));
        onAnswer?.(answers.length);
      }
      if (answers.length >= queries.length) resolve(answers);
    });
  }).finally(() => socket.destroy());
}
