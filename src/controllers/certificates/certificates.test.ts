import { describe, expect, test } from "bun:test";
import type { CertificateRequest } from "../../apis/certificates/pkcs10.ts";
import type { CertificateSigningRequest } from "../../apis/generated/certificates/v1.ts";
import { endOf } from "./cleaner.ts";
import { signers } from "./signers.ts";
import { validity } from "./signing.ts";

const request = (more: Partial<CertificateRequest> = {}): CertificateRequest => ({
  commonName: "system:node:a", organizations: ["system:nodes"], dnsNames: [], ipAddresses: [], emailAddresses: [], uris: [],
  publicKey: new ArrayBuffer(0), subject: "", verify: () => Promise.resolve(true), ...more,
});
const clientUsages = ["digital signature", "key encipherment", "client auth"];
const servingUsages = ["digital signature", "server auth"];
const anyName = request({ commonName: "jane", organizations: ["dev"] });

describe("a signer of Kubernetes' own", () => {
  test.each([
    ["kubernetes.io/kube-apiserver-client", anyName, ["client auth"], undefined],
    ["kubernetes.io/kube-apiserver-client", anyName, ["client auth", "server auth"], "invalid usage for client certificate: server auth"],
    ["kubernetes.io/kube-apiserver-client", anyName, ["digital signature"], "missing required usage for client certificate: client auth"],
    ["kubernetes.io/kube-apiserver-client-kubelet", request(), clientUsages, undefined],
    ["kubernetes.io/kube-apiserver-client-kubelet", request(), ["digital signature", "client auth"], undefined],
    ["kubernetes.io/kube-apiserver-client-kubelet", request(), ["client auth"], "usages did not match [client auth digital signature key encipherment]"],
    ["kubernetes.io/kube-apiserver-client-kubelet", request({ organizations: ["system:nodes", "system:masters"] }), clientUsages, "subject organization is not system:nodes"],
    ["kubernetes.io/kube-apiserver-client-kubelet", request({ dnsNames: ["a"] }), clientUsages, "DNS subjectAltNames are not allowed"],
    ["kubernetes.io/kube-apiserver-client-kubelet", request({ commonName: "a" }), clientUsages, "subject common name does not begin with system:node:"],
    ["kubernetes.io/kubelet-serving", request({ ipAddresses: ["10.0.0.1"] }), servingUsages, undefined],
    ["kubernetes.io/kubelet-serving", request(), servingUsages, "DNS or IP subjectAltName is required"],
    ["kubernetes.io/kubelet-serving", request({ dnsNames: ["a"], uris: ["x://y"] }), servingUsages, "URI subjectAltNames are not allowed"],
    ["kubernetes.io/kubelet-serving", request({ dnsNames: ["a"] }), clientUsages, "usages did not match [digital signature key encipherment server auth]"],
    ["kubernetes.io/legacy-unknown", anyName, ["any"], undefined],
  ] as const)("%s %#", (name, asked, usages, expected) => expect(signers[name](asked, usages)).toBe(expected));
});

const hour = 3_600_000;
test.each([
  ["nothing asked: a year", undefined, 365 * 24 * hour - 300_000],
  ["longer than a year", 400 * 24 * 3600, 365 * 24 * hour - 300_000],
  ["an hour, which is not made shorter", 3600, hour],
  ["less than ten minutes", 60, 600_000],
])("validity: %s", (_, seconds, lasts) => {
  const { notBefore, notAfter } = validity(seconds, 1_000_000_000);
  expect(notBefore.getTime()).toBe(1_000_000_000 - 300_000);
  expect(notAfter.getTime()).toBe(1_000_000_000 + lasts);
});

test.each([
  ["nobody has looked at", undefined, 24],
  ["was denied", { conditions: [{ type: "Denied", status: "True", lastUpdateTime: "1970-01-01T02:00:00Z" }] }, 3],
  ["was approved and waits", { conditions: [{ type: "Approved", status: "True", lastUpdateTime: "1970-01-01T02:00:00Z" }] }, 26],
  ["has its certificate", { certificate: "eA==", conditions: [{ type: "Approved", status: "True", lastUpdateTime: "1970-01-01T02:00:00Z" }] }, 3],
  ["failed", { conditions: [{ type: "Approved", status: "True", lastUpdateTime: "1970-01-01T02:00:00Z" }, { type: "Failed", status: "True", lastUpdateTime: "1970-01-01T04:00:00Z" }] }, 5],
])("a request that %s is kept until then", (_, status, hours) => {
  expect(endOf({ metadata: { name: "r", creationTimestamp: "1970-01-01T00:00:00Z" }, spec: { request: "", signerName: "x/y" }, status } as CertificateSigningRequest)).toBe(hours * hour);
});
