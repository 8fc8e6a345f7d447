import { describe, expect, test } from "bun:test";
import type { WatchOptions } from "../client/client.ts";
import { decodeContinue, encodeContinue } from "./continue-token.ts";
import { parseRevision, validateListOptions, validateWatchOptions, withWatchDefaults } from "./list-options.ts";

// The words are a kube-apiserver's.

describe("a continue token", () => {
  const token = (value: unknown): string => Buffer.from(JSON.stringify(value)).toString("base64url");

  test.each([{ revision: 7, after: "default/web" }, { revision: -1, after: "ü" }])("%j is read as it was written", (position) => {
    expect(decodeContinue(encodeContinue(position))).toEqual(position);
  });

  test.each([
    ["abc", "invalid character 'i' looking for beginning of value"],
    ["!!!", "illegal base64 data at input byte 0"],
    [token({ v: "meta.k8s.io/v2", rv: 1, start: "a\0" }), "server does not recognize this encoded version meta.k8s.io/v2"],
    [token([]), "server does not recognize this encoded version "],
    [token({ v: "meta.k8s.io/v1", rv: 0, start: "a\0" }), "incorrect encoded start resourceVersion (version meta.k8s.io/v1)"],
    [token({ v: "meta.k8s.io/v1", rv: "7", start: "a\0" }), "incorrect encoded start resourceVersion (version meta.k8s.io/v1)"],
    [token({ v: "meta.k8s.io/v1", rv: 1, start: "" }), "encoded start key empty (version meta.k8s.io/v1)"],
    [token({ v: "meta.k8s.io/v1", rv: 1, start: "../x\0" }), "../x\0"],
    [token({ v: "meta.k8s.io/v1", rv: 1, start: "/x\0" }), "/x\0"],
  ])("%s is refused", (text, reason) => {
    expect(() => decodeContinue(text)).toThrow(`invalid continue token: continue key is not valid: ${reason}`);
  });
});

const invalid = 'ListOptions.meta.k8s.io "" is invalid: ';

describe("options of a list", () => {
  test.each<[WatchOptions, string]>([
    [{ resourceVersionMatch: "Exact" }, "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided"],
    [{ resourceVersionMatch: "Exact", resourceVersion: "0" }, 'resourceVersionMatch: Forbidden: resourceVersionMatch "exact" is forbidden for resourceVersion "0"'],
    [{ resourceVersionMatch: "NotOlderThan", resourceVersion: "3", continue: "x" }, "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided"],
    [{ sendInitialEvents: true }, "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list"],
  ])("%j", (options, message) => {
    expect(() => validateListOptions(options)).toThrow(invalid + message);
  });

  test("a resourceVersion is a number", () => {
    expect([parseRevision(undefined), parseRevision("0"), parseRevision("12")]).toEqual([0, 0, 12]);
    expect(() => parseRevision("abc")).toThrow('invalid resource version: resourceVersion: Invalid value: "abc": strconv.ParseUint: parsing "abc": invalid syntax');
  });
});

describe("options of a watch", () => {
  test.each<[WatchOptions, string]>([
    [{ sendInitialEvents: true }, "resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"],
    [{ resourceVersion: "5", resourceVersionMatch: "NotOlderThan" }, "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"],
    [{ continue: "x" }, "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden when continue is provided"],
  ])("%j", (options, message) => {
    expect(() => validateWatchOptions(withWatchDefaults(options))).toThrow(invalid + message);
  });

  test("from nowhere it begins with what exists, from a version with what follows", () => {
    for (const resourceVersion of [undefined, "", "0"]) expect(withWatchDefaults({ resourceVersion })).toMatchObject({ sendInitialEvents: true, resourceVersionMatch: "NotOlderThan" });
    expect(withWatchDefaults({ resourceVersion: "5" })).toEqual({ resourceVersion: "5" });
  });
});
