import { expect, test } from "bun:test";
import { ProtoCodec } from "./protobuf.ts";

const codec = new ProtoCodec({ Member: { fields: { ID: { type: "id", id: 1 }, started_at: { type: "uint64", id: 2 }, urls: { rule: "repeated", type: "string", id: 3 } } } });

test("an identity is kept whole, where a number would be rounded", () => {
  const member = { ID: "18249187646912138824", startedAt: 1_790_000_000, urls: ["a", "b"] };
  expect(codec.decode("Member", codec.encode("Member", member))).toEqual(member);
  expect(codec.decode("Member", codec.encode("Member", {}))).toEqual({});
});
