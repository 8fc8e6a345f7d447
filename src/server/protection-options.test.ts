import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseAuditOptions } from "./audit-options.ts";
import { parseProtectionOptions } from "./protection-options.ts";

let directory = "";
afterEach(() => rmSync(directory, { recursive: true, force: true }));
const file = (name: string, text: string): string => {
  directory = directory && existsSync(directory) ? directory : mkdtempSync(join(tmpdir(), "skiff-options-"));
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};

describe("protection", () => {
  test("has defaults, and can be turned off and set", () => {
    expect(parseProtectionOptions({})).toEqual({ totalSeats: 120, requestTimeoutMs: 60_000, maxConnections: 16_384, maxConnectionsPerAddress: 4096, maxWatchesPerUser: 4096 });
    expect(parseProtectionOptions({ "enable-priority-and-fairness": false, "request-timeout": 5 })).toMatchObject({ requestTimeoutMs: 5000 });
    expect(parseProtectionOptions({ "enable-priority-and-fairness": false })).not.toHaveProperty("totalSeats");
    expect(() => parseProtectionOptions({ "max-connections": 0 })).toThrow("--max-connections must be a whole number above 0, not 0");
  });
});

describe("audit", () => {
  const policy = (): string => file("policy.yaml", "apiVersion: audit.k8s.io/v1\nkind: Policy\nrules:\n- level: Metadata\n");

  test("is off without a policy, and says so when a place for events is named", () => {
    expect(parseAuditOptions({})).toBeUndefined();
    expect(() => parseAuditOptions({ "audit-log-path": "-" })).toThrow("--audit-policy-file");
  });

  test("reads the policy, the log's bounds and the webhook's kubeconfig", () => {
    const kubeconfig = file("hook.yaml", `current-context: c\ncontexts: [{name: c, context: {cluster: k, user: u}}]\nclusters: [{name: k, cluster: {server: "https://sink/x", certificate-authority-data: ${Buffer.from("the ca").toString("base64")}}}]\nusers: [{name: u, user: {token: secret}}]\n`);
    expect(parseAuditOptions({ "audit-policy-file": policy(), "audit-log-path": "/var/log/audit.log", "audit-log-mode": "batch", "audit-log-maxsize": 5, "audit-log-maxage": 2, "audit-log-maxbackup": 3, "audit-webhook-config-file": kubeconfig })).toEqual({
      policy: { apiVersion: "audit.k8s.io/v1", kind: "Policy", rules: [{ level: "Metadata" }] } as never,
      log: { path: "/var/log/audit.log", mode: "batch", maxSizeBytes: 5 << 20, maxBackups: 3, maxAgeMs: 2 * 86_400_000 }, webhook: { server: "https://sink/x", ca: "the ca", token: "secret" },
    });
  });

  test("an unknown mode of the log is told to be wrong", () => {
    expect(() => parseAuditOptions({ "audit-policy-file": policy(), "audit-log-path": "-", "audit-log-mode": "sometimes" })).toThrow('--audit-log-mode must be one of batch, blocking, blocking-strict, not "sometimes"');
  });

  test.each([["{", "can't be used"], ["kind: Policy", "apiVersion"], ["apiVersion: audit.k8s.io/v1\nkind: Policy\nrules: [{level: X}]", "rules[0].level must be one of"]])("a policy %j is told to be wrong", (text, words) => {
    expect(() => parseAuditOptions({ "audit-policy-file": file("policy.yaml", text) })).toThrow(words);
  });

  test("a kubeconfig without a server is told to be wrong", () => {
    expect(() => parseAuditOptions({ "audit-policy-file": policy(), "audit-webhook-config-file": file("hook.yaml", "clusters: []") })).toThrow("its cluster has no server");
  });
});
