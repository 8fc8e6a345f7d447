import { connect, type Socket } from "node:net";
import { decodeMessage, encodeMessage, MessageType, type Message, type Value } from "./dbus-message.ts";

export interface Call {
  destination: string;
  path: string;
  interface: string;
  member: string;
  signature?: string;
  body?: readonly Value[];
}

/** Where the system's bus listens; the variable is what all of D-Bus's tools heed. */
export const systemBusSocket = (environment: Readonly<Record<string, string | undefined>> = process.env): string =>
  /(?:^|;)unix:path=([^,;]+)/.exec(environment["DBUS_SYSTEM_BUS_ADDRESS"] ?? "")?.[1] ?? "/run/dbus/system_bus_socket";

const answerMs = 10_000;

/** A connection to a bus of D-Bus, as the user who runs this process. */
export class Dbus {
  #serial = 0;
  #received = Buffer.alloc(0);
  readonly #calls = new Map<number, PromiseWithResolvers<Message>>();
  #ended?: Error;
  readonly #closed = Promise.withResolvers<void>();

  private constructor(private readonly socket: Socket, private readonly onSignal: (message: Message) => void) {}

  /** Resolves when the bus has taken us in. */
  static async connect(path: string, onSignal: (message: Message) => void): Promise<Dbus> {
    const socket = connect(path);
    const bus = new Dbus(socket, onSignal);
    const welcome = Promise.withResolvers<void>();
    const greet = (bytes: Buffer): void => {
      bus.#received = Buffer.concat([bus.#received, bytes]);
      const line = bus.#received.indexOf("\r\n");
      if (line < 0) return;
      const answer = bus.#received.subarray(0, line).toString();
      if (!answer.startsWith("OK ")) return welcome.reject(new Error(`D-Bus refuses us: ${answer}`));
      bus.#received = bus.#received.subarray(line + 2);
      socket.off("data", greet);
      socket.on("data", (more: Buffer) => bus.#receive(more));
      socket.write("BEGIN\r\n");
      welcome.resolve();
    };
    socket.on("data", greet);
    socket.on("error", (error) => bus.#end(error));
    socket.on("close", () => bus.#end(new Error("D-Bus has closed the connection")));
    void bus.#closed.promise.then(() => welcome.reject(new Error("D-Bus has closed the connection")));
    socket.once("connect", () => socket.write(`\0AUTH EXTERNAL ${Buffer.from(String(process.getuid?.() ?? 0)).toString("hex")}\r\n`));
    const late = setTimeout(() => bus.#end(new Error("D-Bus does not answer")), answerMs);
    try {
      await welcome.promise;
      await bus.call({ destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus", member: "Hello" });
    } catch (error) {
      bus.close();
      throw error;
    } finally {
      clearTimeout(late);
    }
    return bus;
  }

  /** Resolves when the connection has ended, whoever ended it. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** The values of the answer. Rejects with what the service says. */
  async call(call: Call): Promise<readonly Value[]> {
    if (this.#ended) throw this.#ended;
    const serial = ++this.#serial;
    const answer = Promise.withResolvers<Message>();
    this.#calls.set(serial, answer);
    const late = setTimeout(() => answer.reject(new Error(`${call.destination} does not answer ${call.member}`)), answerMs);
    try {
      this.socket.write(encodeMessage({ type: MessageType.methodCall, serial, ...call }));
      const { type, body, errorName } = await answer.promise;
      if (type === MessageType.error) throw new Error(`${call.member}: ${typeof body[0] === "string" ? body[0] : errorName}`);
      return body;
    } finally {
      clearTimeout(late);
      this.#calls.delete(serial);
    }
  }

  close(): void {
    this.#end(new Error("closed"));
  }

  #receive(bytes: Buffer): void {
    this.#received = Buffer.concat([this.#received, bytes]);
    try {
      for (let next = decodeMessage(this.#received); next; next = decodeMessage(this.#received)) {
        this.#received = this.#received.subarray(next.length);
        if (next.message.type === MessageType.signal) this.onSignal(next.message);
        else this.#calls.get(next.message.replySerial ?? 0)?.resolve(next.message);
      }
    } catch (error) {
      this.#end(error as Error);
    }
  }

  #end(error: Error): void {
    this.#ended ??= error;
    for (const { reject } of this.#calls.values()) reject(error);
    this.#calls.clear();
    this.socket.destroy();
    this.#closed.resolve();
  }
}
