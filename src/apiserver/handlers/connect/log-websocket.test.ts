import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import type { HttpRequest, HttpResponse, RawConnection } from "../../../base/http.ts";
import { FrameDecoder, Opcode } from "../../../base/websocket/frame.ts";
import { newExchange } from "../../exchange.ts";
import { streamedAsMessages } from "./log-websocket.ts";

const opening = (protocol?: string): Record<string, string> => ({
  upgrade: "websocket", connection: "Upgrade", "sec-websocket-version": "13", "sec-websocket-key": randomBytes(16).toString("base64"), ...(protocol ? { "sec-websocket-protocol": protocol } : {}), accept: "*/*",
});

function asked(headers: Record<string, string>) {
  const sent: Buffer[] = [], upgraded: unknown[] = [], refused: number[] = [];
  const raw: RawConnection = { onData: () => undefined, onClose: () => undefined, queuedBytes: 0, drained: async () => undefined, pause() {}, resume() {}, end() {}, destroy() {}, write: (bytes) => sent.push(Buffer.from(bytes)) > 0 };
  const request: HttpRequest = { method: "GET", url: "/log", headers, remoteAddress: "192.0.2.1", body: async () => new Uint8Array(), signal: new AbortController().signal };
  const response: HttpResponse = {
    started: false, send: (status) => void refused.push(status), stream: () => { throw new Error("no plain stream"); },
    upgrade: (fields) => {
      upgraded.push(fields["Sec-WebSocket-Protocol"]);
      return raw;
    },
  };
  const frames = (): [opcode: number, text: string][] => {
    const all: [number, string][] = [];
    const decoder = new FrameDecoder(false, 1 << 20);
    decoder.feed(Buffer.concat(sent), ({ opcode, payload }) => void all.push([opcode, payload.toString()]));
    return all;
  };
  return { exchange: newExchange(request, response), upgraded, refused, frames };
}

test.each([
  [undefined, undefined, Opcode.Binary, "line\n"], ["binary.k8s.io", "binary.k8s.io", Opcode.Binary, "line\n"], ["base64.binary.k8s.io", "base64.binary.k8s.io", Opcode.Text, btoa("line\n")],
])("asked for %p", (protocol, agreed, opcode, text) => {
  const { exchange, upgraded, frames } = asked(opening(protocol));
  const { request, response } = streamedAsMessages(exchange);
  expect(request.headers).toEqual({ accept: "*/*" });
  const stream = response.stream(200, {});
  stream.write("line\n");
  stream.end();
  expect(upgraded).toEqual([agreed]);
  expect(frames()).toEqual([[opcode, text], [Opcode.Close, expect.any(String)]]);
});

test("a refusal is a plain answer", () => {
  const { exchange, refused, upgraded } = asked(opening());
  streamedAsMessages(exchange).response.send(404, {}, "no such container");
  expect([refused, upgraded]).toEqual([[404], []]);
});

test("what is no WebSocket stays as it is, and what can't be agreed on is refused", () => {
  const { exchange } = asked({});
  expect(streamedAsMessages(exchange)).toBe(exchange);
  expect(() => streamedAsMessages(asked(opening("v5.channel.k8s.io")).exchange)).toThrow("none of the subprotocols is supported");
});
