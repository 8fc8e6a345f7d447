import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HttpRequest, HttpResponse } from "../../../src/base/http.ts";
import { serveSystemLogs } from "./system-logs.ts";

const outside = mkdtempSync(join(tmpdir(), "skiff-system-logs-")), root = join(outside, "log");
mkdirSync(join(root, "nginx & co"), { recursive: true });
writeFileSync(join(outside, "secret"), "secret");
writeFileSync(join(root, "syslog"), "x".repeat(200_000));
writeFileSync(join(root, "wtmp"), Buffer.from([1, 0, 2]));
writeFileSync(join(root, "nginx & co/a<b>"), "");
symlinkSync("syslog", join(root, "messages"));
Bun.spawnSync(["mkfifo", join(root, "pipe")]);
afterAll(() => rmSync(outside, { recursive: true }));

/** What is answered to `/logs<path>`, in one piece. */
async function get(path: string, method = "GET"): Promise<{ status: number; type?: string; location?: string; body: string }> {
  let answer = { status: 0, body: "" };
  const begin = (status: number, { "Content-Type": type, Location: location }: Record<string, string | string[]>): void => { answer = { ...answer, status, ...(type ? { type } : {}), ...(location ? { location } : {}) }; };
  const response = {
    send: (status: number, headers: Record<string, string>, body = "") => { begin(status, headers); answer.body = body; },
    stream: (status: number, headers: Record<string, string>) => {
      begin(status, headers);
      return { write: (bytes: Buffer) => { answer.body += bytes.toString("latin1"); return false; }, drained: async () => undefined, end: () => undefined };
    },
  } as unknown as HttpResponse;
  await serveSystemLogs({ method, signal: new AbortController().signal } as HttpRequest, response, root, path.split("/").slice(1).map(decodeURIComponent)).catch(({ status: { code, message } }) => { answer = { status: code, body: message }; });
  return answer;
}

test("directories are lists of links", async () => {
  const { status, type, body } = await get("/");
  expect([status, type]).toEqual([200, "text/html; charset=utf-8"]);
  expect([...body.matchAll(/href="(.*)">(.*)<\/a>/g)].map(([, link, name]) => [link, name])).toEqual([["messages", "messages"], ["nginx%20%26%20co/", "nginx &amp; co/"], ["pipe", "pipe"], ["syslog", "syslog"], ["wtmp", "wtmp"]]);
  expect((await get("/nginx%20%26%20co/")).body).toContain('<a href="a%3Cb%3E">a&lt;b&gt;</a>');
  expect(await get("/nginx%20%26%20co")).toMatchObject({ status: 301, location: "nginx%20%26%20co/" });
  expect(await get("")).toMatchObject({ status: 301, location: "logs/" });
});

test("files are sent whole", async () => {
  for (const name of ["syslog", "messages"]) expect(await get(`/${name}`)).toEqual({ status: 200, type: "text/plain; charset=utf-8", body: "x".repeat(200_000) });
  expect(await get("/wtmp")).toMatchObject({ type: "application/octet-stream", body: "\x01\0\x02" });
});

test.each(["/nosuch", "/../secret", "/..%2f..%2fsecret", "/%2e%2e/secret", "/pipe", "/syslog/", "/syslog/x"])("%s is not there", async (path) => {
  expect(await get(path)).toEqual({ status: 404, body: "404 page not found" });
});

test("nothing is written", async () => expect(await get("/syslog", "POST")).toMatchObject({ status: 405 }));
