import { isIPv6 } from "node:net";
import { connect } from "node:net";
import { headerLength, isTruncated, flags } from "./message.ts";

export interface NameServer {
  address: string;
  port: number;
}

export const serverName = ({ address, port }: NameServer): string => (port === 53 ? address : isIPv6(address) ? `[${address}]:${port}` : `${address}:${port}`);

/** One question to one server; over TCP when the answer doesn't fit a datagram. Rejects when `signal` aborts, or the network says no. */
export async function exchange(server: NameServer, query: Buffer, signal: AbortSignal): Promise<Buffer> {
  const answer = await askUdp(server, query, signal);
  if (!isTruncated(answer)) return answer;
  // A server without TCP has at least the part that fitted.
  return askTcp(server, query, signal).catch(() => answer);
}

/** A socket of its own for each question: its port is as hard to guess for a forger as its id. */
async function askUdp({ address, port }: NameServer, query: Buffer, signal: AbortSignal): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  signal.throwIfAborted();
  const socket = await Bun.udpSocket({
    connect: { hostname: address, port },
    socket: {
      data(_, bytes) {
        const answer = Buffer.from(bytes);
        if (answersTo(query, answer)) resolve(answer);
      },
      error(_, error) {
        reject(error);
      },
    },
  });
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    socket.send(query);
    return await promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.close();
  }
}

async function askTcp({ address, port }: NameServer, query: Buffer, signal: AbortSignal): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>();
  signal.throwIfAborted();
  const socket = connect(port, address);
  let received: Buffer = Buffer.alloc(0);
  const onAbort = (): void => reject(signal.reason);
  signal.addEventListener("abort", onAbort, { once: true });
  socket.on("error", reject).on("close", () => reject(new Error("the name server closed the connection")));
  socket.on("data", (bytes) => {
    received = Buffer.concat([received, bytes as Buffer]);
    if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return;
    const answer = received.subarray(2, 2 + received.readUInt16BE(0));
    if (answersTo(query, answer)) resolve(answer);
    else reject(new Error("the name server answered another question"));
  });
  try {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(query.length);
    socket.write(Buffer.concat([length, query]));
    return await promise;
  } finally {
    signal.removeEventListener("abort", onAbort);
    socket.destroy();
  }
}

/** The same id, and the same question to the letter; one without a question can only be an error. */
function answersTo(query: Buffer, answer: Buffer): boolean {
  if (answer.length < headerLength || answer.readUInt16BE(0) !== query.readUInt16BE(0) || !(answer.readUInt16BE(2) & flags.response)) return false;
  if (answer.readUInt16BE(4) === 0) return (answer[3]! & 15) !== 0;
  const end = questionEndOf(query);
  return answer.length >= end && lowerCase(answer, end) === lowerCase(query, end);
}

const lowerCase = (message: Buffer, end: number): string => message.toString("latin1", headerLength, end).toLowerCase();

/** Our own questions have no compressed names. */
function questionEndOf(query: Buffer): number {
  let at = headerLength;
  while (query[at]) at += 1 + query[at]!;
  return at + 5;
}
