import { readFileSync } from "node:fs";
import { load } from "js-yaml";

export interface Credentials { ca: string; cert: string; key: string; port: number }

/** The administrator's certificate, and the port, of a kubeconfig. */
export function credentialsOf(kubeconfig: string): Credentials {
  const { clusters, users } = load(readFileSync(kubeconfig, "utf8")) as { clusters: { cluster: Record<string, string> }[]; users: { user: Record<string, string> }[] };
  const text = (base64: string | undefined): string => Buffer.from(base64 ?? "", "base64").toString();
  const { cluster } = clusters[0]!, { user } = users[0]!;
  return { ca: text(cluster["certificate-authority-data"]), cert: text(user["client-certificate-data"]), key: text(user["client-key-data"]), port: Number(new URL(cluster["server"]!).port) };
}

export interface Answer { status: number; body: Buffer }

export interface Media { accept?: string; contentType?: string }

/** One TLS connection that sends one HTTP/1.1 request after another: a client that costs little, so that the server is what is measured. */
export class ApiConnection {
  #socket!: Bun.Socket<undefined>;
  #received: Buffer[] = [];
  #receivedBytes = 0;
  /** How many bytes make an answer whole, as far as its head tells. */
  #awaited = 0;
  #answered: { resolve(answer: Answer): void; reject(error: Error): void } | undefined;
  #stream: ((text: string) => void) | undefined;
  #unsent: Buffer = Buffer.alloc(0);
  /** Why nothing can be asked any more. */
  #ended: Error | undefined;

  static async open({ ca, cert, key, port }: Credentials): Promise<ApiConnection> {
    const connection = new ApiConnection();
    connection.#socket = await Bun.connect({
      hostname: "127.0.0.1", port, tls: { ca, cert, key, serverName: "localhost" },
      socket: {
        data: (_, bytes) => connection.#receive(bytes),
        drain: () => connection.#flush(),
        close: () => connection.#end(new Error("the server closed the connection")),
        error: (_, error) => connection.#end(error),
      },
    });
    return connection;
  }

  request(method: string, path: string, body?: string, { accept = "application/json", contentType = "application/json" }: Media = {}): Promise<Answer> {
    const head = `${method} ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: ${accept}\r\n${body === undefined ? "" : `Content-Type: ${contentType}\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`}\r\n`;
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      this.#answered = { resolve, reject };
      this.#unsent = Buffer.from(head + (body ?? ""));
      this.#flush();
    });
  }

  /** Opens a watch; afterwards the connection hands all it receives to `onText`. Resolves when the server has begun to answer. */
  async watch(path: string, onText: (text: string) => void): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#answered = { resolve: () => undefined, reject };
      this.#stream = (text) => {
        resolve();
        onText(text);
      };
      this.#unsent = Buffer.from(`GET ${path} HTTP/1.1\r\nHost: localhost\r\nAccept: application/json\r\n\r\n`);
      this.#flush();
    });
  }

  /** Stops to read: what the server sends piles up on its side. */
  pause(): void {
    this.#socket.pause();
  }

  close(): void {
    this.#answered = undefined;
    this.#socket.end();
  }

  #end(error: Error): void {
    this.#ended ??= error;
    this.#answered?.reject(error);
  }

  #flush(): void {
    if (!this.#unsent.length) return;
    const written = this.#socket.write(this.#unsent);
    this.#unsent = this.#unsent.subarray(Math.max(0, written));
  }

  #receive(bytes: Buffer): void {
    if (this.#stream) return this.#stream(bytes.toString("latin1"));
    this.#received.push(Buffer.from(bytes));
    this.#receivedBytes += bytes.length;
    if (this.#receivedBytes < this.#awaited) return;
    const received = Buffer.concat(this.#received);
    const answer = takeAnswer(received);
    this.#received = answer ? [] : [received];
    this.#receivedBytes = answer ? 0 : received.length;
    this.#awaited = answer ? 0 : lengthOf(received);
    if (answer) this.#answered!.resolve(answer);
  }
}

/** How long an answer will be, 0 while its head is not all there or doesn't say. */
function lengthOf(received: Buffer): number {
  const end = received.indexOf("\r\n\r\n");
  const length = end < 0 ? null : /\r\ncontent-length: (\d+)/i.exec(received.toString("latin1", 0, end));
  return length ? end + 4 + Number(length[1]) : 0;
}

/** A complete response, or nothing while it has not all come. */
function takeAnswer(received: Buffer): Answer | undefined {
  const end = received.indexOf("\r\n\r\n");
  if (end < 0) return undefined;
  const head = received.toString("latin1", 0, end);
  const status = Number(head.slice(9, 12));
  const length = /\r\ncontent-length: (\d+)/i.exec(head);
  if (length) return received.length >= end + 4 + Number(length[1]) ? { status, body: received.subarray(end + 4, end + 4 + Number(length[1])) } : undefined;
  // Chunked: whole when it ends with the last, empty chunk.
  return received.subarray(-7).toString("latin1").endsWith("\r\n0\r\n\r\n") ? { status, body: received.subarray(end + 4) } : undefined;
}
