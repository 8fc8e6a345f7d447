import { connect } from "node:http2";

/** Of grpc.health.v1.HealthCheckResponse.ServingStatus, by number. */
const statuses = ["UNKNOWN", "SERVING", "NOT_SERVING", "SERVICE_UNKNOWN"] as const;
export type ServingStatus = (typeof statuses)[number];

const unimplemented = 12;

/**
 * Asks grpc.health.v1.Health/Check; resolves with what the service says of itself. Rejects with an Error in the words of Kubernetes' probe.
 * The two messages have one field each, so they are coded here.
 */
export function grpcHealth(host: string, port: number, service: string, timeoutMs: number): Promise<ServingStatus> {
  const address = `${host.includes(":") ? `[${host}]` : host}:${port}`;
  return new Promise((resolve, reject) => {
    const session = connect(`http://${address}`);
    let connected = false;
    const finish = (result: ServingStatus | Error): void => {
      clearTimeout(timer);
      session.destroy();
      if (result instanceof Error) reject(result);
      else resolve(result);
    };
    const seconds = `${timeoutMs / 1000}s`;
    const timer = setTimeout(() => finish(new Error(connected ? `timeout: health rpc did not complete within ${seconds}` : `timeout: failed to connect service "${address}" within ${seconds}: context deadline exceeded`)), timeoutMs);
    session.once("connect", () => (connected = true));
    session.on("error", finish);
    const stream = session.request({ ":method": "POST", ":path": "/grpc.health.v1.Health/Check", "content-type": "application/grpc", te: "trailers" });
    const chunks: Buffer[] = [];
    let code = 0, message = "";
    // A refusal may come as trailers, or as headers alone.
    const heard = (headers: Readonly<Record<string, unknown>>): void => {
      if (headers["grpc-status"] === undefined) return;
      code = Number(headers["grpc-status"]);
      message = decoded(String(headers["grpc-message"] ?? ""));
    };
    stream.on("response", heard);
    stream.on("trailers", heard);
    stream.on("data", (chunk: Buffer) => chunks.push(chunk));
    stream.on("error", finish);
    stream.on("end", () => setImmediate(() => {
      if (code === 0) finish(statusOf(Buffer.concat(chunks)));
      else if (code === unimplemented) finish(new Error(`error: this server does not implement the grpc health protocol (grpc.health.v1.Health): ${message}`));
      else finish(new Error(`error: health rpc probe failed: rpc error: code = ${codeNames[code] ?? code} desc = ${message}`));
    }));
    stream.end(frame(service));
  });
}

const codeNames: Readonly<Record<number, string>> = { 2: "Unknown", 3: "InvalidArgument", 5: "NotFound", 7: "PermissionDenied", 8: "ResourceExhausted", 13: "Internal", 14: "Unavailable", 16: "Unauthenticated" };

function decoded(message: string): string {
  try {
    return decodeURIComponent(message);
  } catch {
    return message;
  }
}

function frame(service: string): Buffer {
  const name = Buffer.from(service);
  const message = name.length > 0 ? Buffer.concat([Buffer.of(0x0a, ...varint(name.length)), name]) : Buffer.alloc(0);
  const header = Buffer.alloc(5);
  header.writeUInt32BE(message.length, 1);
  return Buffer.concat([header, message]);
}

function varint(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, ...varint(value >>> 7)];
}

/** Field 1, a varint below 128, after the five bytes of the frame; absent it is the first. */
const statusOf = (answer: Buffer): ServingStatus => statuses[answer.length >= 7 && answer[5] === 0x08 ? answer[6]! : 0] ?? "UNKNOWN";
