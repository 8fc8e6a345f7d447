import { expect, test } from "bun:test";
import { once } from "node:events";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { systemClock } from "../../base/clock.ts";
import { askToJoin } from "./ask-to-join.ts";

test("who is told to stop doesn't wait for a server that says nothing", async () => {
  const sockets: Socket[] = [], silent = createServer((socket) => void sockets.push(socket)).listen(0, "127.0.0.1");
  await once(silent, "listening");
  try {
    const stop = new AbortController(), server = `https://127.0.0.1:${(silent.address() as AddressInfo).port}`;
    const asked = askToJoin({ server, token: `K10${"ab".repeat(32)}::server:secret`, question: { name: "two", peerUrl: "https://10.0.0.2:2380" }, clock: systemClock }, stop.signal);
    await once(silent, "connection");
    stop.abort();
    await expect(asked).rejects.toThrow("can't be reached");
  } finally {
    for (const socket of sockets) socket.destroy();
    silent.close();
  }
});
