import { connect } from "node:http2";

const serving = 1;

/** Asks grpc.health.v1.Health/Check; resolves with whether the service is SERVING. The two messages have one field each, so they are coded here. */
export function grpcHealth(host: string, port: number, service: string, timeoutMs: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const session = connect(`http://${host.includes(":") ? `[${host}]` : host}:${port}`);
    const finish = (result: boolean | Error): void => {
      clearTimeout(timer);
      session.destroy();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    const timer = setTimeout(() => finish(new Error(`timeout: failed to connect service "${host}:${port}" within ${timeoutMs / 1000}s: context deadline exceeded`)), timeoutMs);
    session.on("error", finish);
    const stream = session.request({ ":method": "POST", ":path": "/grpc.health.v1.Health/Check", "content-type": "application/grpc", te: "trailers" });
    const chunks: Buffer[] = [];
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", finish);
    stream.on("end", () => finish(statusOf(Buffer.concat(chunks)) === serving));
    stream.end(frame(service));
  });
}

function frame(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length > 0 ? Buffer.concat([Buffer.from([0x0a, name.length]), name]) : Buffer.alloc(0);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

/** Field 1, a varint below 128, after the five bytes of the frame. */
const statusOf = (answer: Buffer): number => (answer.length >= 7 && answer[5] === 0x08 ? answer[6]! : 0);
