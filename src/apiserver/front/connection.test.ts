import { expect, test } from "bun:test";
import fc from "fast-check";
import type { ByteSocket } from "../../base/stream/output.ts";
import { Connection } from "./connection.ts";
import { Deadlines } from "./deadlines.ts";
import { defaultLimits } from "./front.ts";

const limits = { ...defaultLimits, requestLineBytes: 300, headerBytes: 1000, bodyBytes: 500 };

/**
 * Feeds `bytes` cut at `cuts`; returns what was understood of each served request, and "refused" for one that was not: of two faults in one
 * header, which is met first, and so the status, depends on the cuts.
 */
async function serve(bytes: Buffer, cuts: readonly number[]): Promise<{ answers: string[]; closed: boolean }> {
  const sent: Buffer[] = [];
  let closed = false;
  const close = (): void => {
    closed = true;
  };
  const socket: ByteSocket = { write: (part) => sent.push(Buffer.from(part)) && part.length, end: close, shutdown: close, terminate: close, pause() {}, resume() {}, remoteAddress: "" };
  const connection = new Connection(socket, {
    handler: async (request, response) => {
      const body = Buffer.from(await request.body());
      response.send(200, {}, JSON.stringify([request.method, request.url, request.headers, body.toString("latin1")]));
    },
    limits, deadlines: new Deadlines(), stopping: false,
  });
  let from = 0;
  for (const to of [...cuts, bytes.length]) {
    if (to <= from) continue;
    connection.data(Buffer.from(bytes.subarray(from, to)));
    from = to;
    await Promise.resolve();
  }
  for (let before = -1; before !== sent.length;) {
    before = sent.length;
    await new Promise((resolve) => setImmediate(resolve));
  }
  connection.closed();
  const answers = Buffer.concat(sent).toString("latin1").split(/(?=HTTP\/1\.1 \d{3} )/).filter((text) => text !== "" && !text.startsWith("HTTP/1.1 100"));
  return { answers: answers.map((text) => text.slice(9, 12) === "200" ? text.slice(text.indexOf("\r\n\r\n")) : "refused"), closed };
}

const seeds = [
  "GET /a?b=c HTTP/1.1\r\nHost: x\r\nAccept: */*\r\n\r\n",
  "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello\r\n\r\nx\n",
  "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5;q=1\r\nhello\r\n1\r\n\n\r\n0\r\nT: r\r\n\r\n",
  "GET /d HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
  "PUT /e HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\nok",
];
const noise = fc.constantFrom("\r", "\n", "\r\n", " ", ":", "\0", "0", ";", ",", "\t", "\u00ff", "Content-Length: 3\r\n", "Transfer-Encoding: chunked\r\n");
const mutation = fc.record({ at: fc.nat(400), remove: fc.nat(4), insert: fc.option(noise, { nil: "" }) });
const stream = fc.record({ requests: fc.array(fc.constantFrom(...seeds), { minLength: 1, maxLength: 4 }), mutations: fc.array(mutation, { maxLength: 3 }) }).map(({ requests, mutations }) => {
  let text = requests.join("");
  for (const { at, remove, insert } of mutations) {
    const place = at % text.length;
    text = text.slice(0, place) + insert + text.slice(place + remove);
  }
  return Buffer.from(text, "latin1");
});

test("where the bytes are cut never changes what is served, however they are damaged", async () => {
  await fc.assert(fc.asyncProperty(stream, fc.array(fc.nat(600), { maxLength: 6 }), async (bytes, cuts) => {
    const whole = await serve(bytes, []);
    expect(await serve(bytes, cuts.toSorted((a, b) => a - b))).toEqual(whole);
    expect(await serve(bytes, Array.from(bytes, (_, i) => i))).toEqual(whole);
  }), { numRuns: 1000 });
}, 180_000);

test("undamaged requests are all served", async () => {
  const { answers, closed } = await serve(Buffer.from(seeds.join(""), "latin1"), []);
  expect(answers.map((text) => (JSON.parse(text.trim()) as string[])[1])).toEqual(["/a?b=c", "/b", "/c", "/d", "/e"]);
  expect(closed).toBe(false);
});
