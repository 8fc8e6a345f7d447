import { expect, test } from "bun:test";
import { bootstrapTokenParts, parseJoinToken } from "./join-token.ts";

const hash = "0123456789abcdef".repeat(4);

test.each([
  [`K10${hash}::server:s3cret`, { caHash: hash, secret: "s3cret" }],
  [`K10${hash}::node:s3cret\n`, { caHash: hash, secret: "s3cret" }],
  [`K10${hash}::abcdef.0123456789abcdef`, { caHash: hash, secret: "abcdef.0123456789abcdef" }],
  ["abcdef.0123456789abcdef", { secret: "abcdef.0123456789abcdef" }],
  [" plain ", { secret: "plain" }],
])("%j is read", (text, token) => expect(parseJoinToken(text)).toEqual(token));

test.each(["", "  ", "K10", `K10${hash}`, `K10${hash}::`, `K10${hash}::server:`, `K10${hash.slice(1)}::server:x`, `K10${hash.toUpperCase()}::server:x`, `K10${hash}::server:a:b`])("%j is no whole token", (text) => expect(parseJoinToken(text)).toBeUndefined());

test.each([["abcdef.0123456789abcdef", true], ["ABCDEF.0123456789abcdef", false], ["abcdef.0123456789abcde", false], ["abcdef-0123456789abcdef", false]])("%s is a bootstrap token: %p", (text, is) => expect(bootstrapTokenParts(text) !== undefined).toBe(is));
