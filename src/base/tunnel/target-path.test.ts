import { expect, test } from "bun:test";
import { targetOf, targetPath } from "./target-path.ts";

test.each([
  { scheme: "http", host: "10.42.1.5", port: 8080, path: "/a%2Fb/", search: "x=1&y=%20" }, { scheme: "https", host: "fd00::5", port: 443, path: "/", search: "" },
] as const)("%j comes back from its path", (target) => {
  expect(targetOf(targetPath(target))).toEqual(target);
});

test.each(["/", "/pods", "/http/10.42.1.5/80", "/ftp/10.42.1.5/80/", "/http/10.42.1.5/http/"])("%s is no target", (url) => {
  expect(targetOf(url)).toBeUndefined();
});
