import { existsSync, mkdirSync, readFileSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import { decodeMessage, encodeMessage, MessageType, type Message, type Value } from "../../agents/kubelet/shutdown/dbus-message.ts";

export interface FakeLogind extends AsyncDisposable {
  socket: string;
  configDirectory: string;
  /** Whether somebody asked for the signal. */
  readonly watched: boolean;
  /** How many inhibitors are held. */
  readonly locks: number;
  inhibit(): { release(): void };
  /** Seconds that logind waits. */
  delay: number;
  announce(goesDown: boolean): void;
  /** As when the bus is restarted. */
  disconnect(): void;
}

/** A bus of D-Bus with systemd's logind and service manager on it, as far as those who watch for shutdowns need them. */
export async function startFakeLogind(directory: string): Promise<FakeLogind> {
  const socket = join(directory, "bus"), configDirectory = join(directory, "logind.conf.d");
  mkdirSync(configDirectory, { recursive: true });
  const clients = new Set<Socket>();
  let serial = 0, watched = false, locks = 0;
  const answers: Record<string, (call: Message) => { signature?: string; body?: readonly Value[] }> = {
    Hello: () => ({ signature: "s", body: [":1.7"] }),
    AddMatch: () => {
      watched = true;
      return {};
    },
    Get: () => ({ signature: "v", body: [{ signature: "t", value: BigInt(fake.delay) * 1_000_000n }] }),
    KillUnit: ({ body }) => {
      const file = join(configDirectory, "99-skiff.conf");
      if (body[0] === "systemd-logind.service" && body[2] === 1 && existsSync(file)) fake.delay = Number(/InhibitDelayMaxSec=(\d+)/.exec(readFileSync(file, "utf8"))![1]);
      return {};
    },
  };
  const server = createServer((client) => {
    clients.add(client);
    client.on("close", () => clients.delete(client));
    client.on("error", () => undefined);
    let received = Buffer.alloc(0), begun = false;
    client.on("data", (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
      if (!begun) {
        const text = received.toString("latin1");
        if (text.includes("AUTH EXTERNAL ") && !text.includes("BEGIN")) client.write("OK 0123456789abcdef\r\n");
        const end = text.indexOf("BEGIN\r\n");
        if (end < 0) return;
        begun = true;
        received = received.subarray(end + 7);
      }
      for (let next = decodeMessage(received); next; next = decodeMessage(received)) {
        received = received.subarray(next.length);
        const { member = "", serial: replySerial } = next.message;
        const answer = answers[member];
        client.write(answer
          ? encodeMessage({ type: MessageType.methodReturn, serial: ++serial, replySerial, ...answer(next.message) })
          : encodeMessage({ type: MessageType.error, serial: ++serial, replySerial, errorName: "org.freedesktop.DBus.Error.UnknownMethod", signature: "s", body: [`no ${member}`] }));
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(socket, resolve));
  const fake: FakeLogind = {
    socket, configDirectory, delay: 5,
    get watched() {
      return watched;
    },
    get locks() {
      return locks;
    },
    inhibit() {
      locks++;
      let held = true;
      return {
        release() {
          if (held) locks--;
          held = false;
        },
      };
    },
    announce(goesDown) {
      const signal = encodeMessage({ type: MessageType.signal, serial: ++serial, path: "/org/freedesktop/login1", interface: "org.freedesktop.login1.Manager", member: "PrepareForShutdown", signature: "b", body: [goesDown] });
      // In two pieces, as a socket may deliver it.
      for (const client of clients) {
        client.write(signal.subarray(0, 20));
        client.write(signal.subarray(20));
      }
    },
    disconnect() {
      watched = false;
      for (const client of clients) client.destroy();
    },
    async [Symbol.asyncDispose]() {
      fake.disconnect();
      await new Promise<void>((resolve) => void server.close(() => resolve()));
    },
  };
  return fake;
}
