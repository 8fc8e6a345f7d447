import { expect, test } from "bun:test";
import { openFiles, openForServers, sealFiles, sealForServers } from "./sealed-files.ts";

const files = { token: "K10…::server:secret-1", "tls/server-ca.key": "a key" };

test("the token opens what was sealed, and so does the CA's key; nothing else does", async () => {
  const sealed = await sealFiles(files, { secret: "secret-1", caKey: "a key" });
  expect(await openFiles(sealed, { secret: "secret-1" })).toEqual({ files, by: "secret" });
  expect(await openFiles(sealed, { caKey: "a key\n" })).toEqual({ files, by: "caKey" });
  expect(await openFiles(sealed, { secret: "old", caKey: "a key" })).toEqual({ files, by: "caKey" });
  expect(await openFiles(sealed, { secret: "secret-1", caKey: "another" })).toEqual({ files, by: "secret" });
  for (const wrong of [{}, { secret: "secret-2" }, { caKey: "another" }, { secret: "secret-2", caKey: "another" }]) expect(await openFiles(sealed, wrong)).toBeUndefined();
  expect(Buffer.from(sealed).toString()).not.toContain("secret-1");
});

test("what is for servers alone is opened by the CA's key, whole or not at all", () => {
  const sealed = sealForServers(Buffer.from("keys"), "a key"), text = Buffer.from(sealed).toString();
  expect(Buffer.from(openForServers(sealed, "a key\n")!).toString()).toBe("keys");
  expect(openForServers(sealed, "another")).toBeUndefined();
  const { content, ...rest } = JSON.parse(text) as { content: { iv: string; data: string } };
  expect(openForServers(Buffer.from(JSON.stringify({ ...rest, content: { ...content, data: Buffer.from("no tag, no content").toString("base64") } })), "a key")).toBeUndefined();
  expect(openForServers(Buffer.from(text.replace('"version":1', '"version":2')), "a key")).toBeUndefined();
});

test("what is damaged, or newer, is told so", async () => {
  const sealed = JSON.parse(Buffer.from(await sealFiles(files, { secret: "secret-1", caKey: "a key" })).toString());
  const bytes = (content: object): Uint8Array => Buffer.from(JSON.stringify(content));
  await expect(openFiles(bytes({ ...sealed, version: 2 }), { secret: "secret-1" })).rejects.toThrow("newer Skiff");
  await expect(openFiles(bytes({ ...sealed, files: sealed.byToken }), { secret: "secret-1" })).rejects.toThrow("damaged");
});
