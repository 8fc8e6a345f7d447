import { describe, expect, test } from "bun:test";
import { gunzipSync, gzipSync } from "node:zlib";
import type { HeaderFields } from "../../../base/http.ts";
import { linkThroughProxy, throughProxy } from "./page-links.ts";

const place = { prefix: "/api/v1/namespaces/n/pods/p/proxy", host: "localhost:8001", target: "10.42.0.2:80" };

test.each([
  ["/x", "/api/v1/namespaces/n/pods/p/proxy/x"], ["/", "/api/v1/namespaces/n/pods/p/proxy/"], ["/x?a=/b#c", "/api/v1/namespaces/n/pods/p/proxy/x?a=/b#c"],
  ["http://10.42.0.2:80/x", "/api/v1/namespaces/n/pods/p/proxy/x"], ["//10.42.0.2:80/x", "/api/v1/namespaces/n/pods/p/proxy/x"],
  ["http://localhost:8001/x", "http://localhost:8001/api/v1/namespaces/n/pods/p/proxy/x"],
  ["/api/v1/namespaces/n/pods/p/proxy/x", "/api/v1/namespaces/n/pods/p/proxy/x"],
  ["x", "x"], ["../x", "../x"], ["#top", "#top"], ["?a", "?a"], ["", ""], ["http://example.com/x", "http://example.com/x"], ["//example.com/x", "//example.com/x"], ["mailto:a@b", "mailto:a@b"], ["javascript:f('/x')", "javascript:f('/x')"],
])("the link %p leads to %p", (link, expected) => expect(linkThroughProxy(link, place)).toBe(expected));

/** What a client gets of an answer in these parts: its header fields and its bytes, one character each. */
async function proxied(headers: HeaderFields, parts: readonly (string | Uint8Array)[], { streamed = true } = {}): Promise<{ fields: HeaderFields; bytes: Buffer }> {
  const sent: Uint8Array[] = [], ended = Promise.withResolvers<void>();
  let fields: HeaderFields = {};
  const take = (chunk: Uint8Array | string): boolean => sent.push(Buffer.from(chunk as string)) > 0;
  const through = throughProxy({
    started: false,
    send(_, given, body = "") {
      fields = given;
      take(body);
      ended.resolve();
    },
    stream(_, given) {
      fields = given;
      return { write: take, writeFramed: take, queuedBytes: 0, drained: async () => undefined, end: () => ended.resolve(), abort: () => ended.reject(new Error("cut off")) };
    },
    upgrade: () => { throw new Error("not asked for"); },
  }, place);
  if (streamed) {
    const stream = through.stream(200, headers);
    for (const part of parts) if (!stream.write(part)) await stream.drained();
    stream.end();
  } else {
    through.send(200, headers, parts[0]);
  }
  await ended.promise;
  return { fields, bytes: Buffer.concat(sent) };
}

const html = { "content-type": "text/html; charset=utf-8", "content-length": "99" };
const page = `<!DOCTYPE html><a href="/rewriteme">tést</a><img src='/a.png'><a href=there>&amp;</a>`;
const expected = `<!DOCTYPE html><a href="/api/v1/namespaces/n/pods/p/proxy/rewriteme">tést</a><img src="/api/v1/namespaces/n/pods/p/proxy/a.png"><a href=there>&amp;</a>`;

describe("a page through the proxy", () => {
  test("in one piece, and in pieces that cut a link", async () => {
    for (const answer of [await proxied(html, [page], { streamed: false }), await proxied(html, [page]), await proxied(html, [page.slice(0, 28), page.slice(28, 31), page.slice(31)])]) {
      expect(answer.bytes.toString()).toBe(expected);
      expect(answer.fields).toEqual({ "content-type": html["content-type"] });
    }
  });

  test("compressed", async () => {
    const answer = await proxied({ ...html, "content-encoding": "gzip" }, [gzipSync(page)]);
    expect(gunzipSync(answer.bytes).toString()).toBe(expected);
  });

  test("of another encoding than UTF-8 keeps its bytes", async () => {
    const bytes = Buffer.from(page, "latin1");
    for (const streamed of [true, false]) {
      const answer = await proxied(html, [bytes], { streamed });
      expect(answer.bytes.toString("latin1")).toBe(expected);
    }
  });

  test("a redirection leads through the proxy, and its body is not looked at", async () => {
    const answer = await proxied({ ...html, location: "/elsewhere" }, [page]);
    expect([answer.fields["location"], answer.bytes.toString()]).toEqual(["/api/v1/namespaces/n/pods/p/proxy/elsewhere", page]);
  });

  test("what is no page, or is in a coding that nobody here reads, goes as it comes", async () => {
    for (const headers of [{ "content-type": "application/json" }, { ...html, "content-encoding": "br" }]) expect((await proxied(headers, [page])).bytes.toString()).toBe(page);
  });

  test("a large one", async () => {
    const answer = await proxied(html, Array.from({ length: 300 }, () => `${page}${"x".repeat(10_000)}`));
    expect(answer.bytes.toString()).toBe(Array.from({ length: 300 }, () => `${expected}${"x".repeat(10_000)}`).join(""));
  });
});
