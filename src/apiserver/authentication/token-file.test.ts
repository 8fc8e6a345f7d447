import { expect, test } from "bun:test";
import { tokenHash } from "./static-token.ts";
import { parseTokenFile } from "./token-file.ts";

test("lines of token, user, uid and groups", () => {
  const users = parseTokenFile('secret,jane,7,"dev,ops"\n\n# nobody\nother , joe\r\nthird,"a, ""b""",,one\n');
  expect(users.get(tokenHash("secret"))).toEqual({ name: "jane", uid: "7", groups: ["dev", "ops"] });
  expect(users.get(tokenHash("other"))).toEqual({ name: "joe", groups: [] });
  expect(users.get(tokenHash("third"))).toEqual({ name: 'a, "b"', groups: ["one"] });
  expect(users.size).toBe(3);
});

test("a line without a user is named", () => {
  expect(() => parseTokenFile("a,b\njust-a-token\n")).toThrow('line 2 must be: token,user,uid,"group1,group2"');
});
