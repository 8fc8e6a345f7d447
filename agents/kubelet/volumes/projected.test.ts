import { expect, test } from "bun:test";
import type { PodSpec } from "../../../src/apis/generated/core/v1.ts";
import { tokenAccess } from "./projected.ts";

test.each<[string, Partial<PodSpec>, { mode: number; uid?: number }]>([
  ["anybody's, without a user", {}, { mode: 0o644 }],
  ["the pod's user's", { securityContext: { runAsUser: 1000 } }, { mode: 0o600, uid: 1000 }],
  ["root's, where the pod says so", { securityContext: { runAsUser: 0 } }, { mode: 0o600, uid: 0 }],
  ["its fsGroup's, who reads it as a group", { securityContext: { fsGroup: 10000 } }, { mode: 0o600 }],
  ["its user's and its fsGroup's", { securityContext: { runAsUser: 1000, fsGroup: 10000 } }, { mode: 0o600, uid: 1000 }],
  ["anybody's, where the containers' users differ", { securityContext: { runAsUser: 1000 }, containers: [{ name: "a" }, { name: "b", securityContext: { runAsUser: 7 } }] }, { mode: 0o644 }],
])("a token is %s", (_, spec, expected) => {
  expect(tokenAccess({ metadata: { name: "p", namespace: "ns", uid: "u1" }, spec: { containers: [{ name: "a" }, { name: "b" }], ...spec } }, 0o644)).toEqual(expected);
});
