import "reflect-metadata";
import { expect, test } from "bun:test";
import { generateKeyPairSync } from "node:crypto";
import { X509CertificateGenerator } from "@peculiar/x509";
import { secrets } from "./secret.ts";

const pem = (type: string, body = "YQ=="): string => `-----BEGIN ${type}-----\n${body}\n-----END ${type}-----\n`;
const warnings = (certificate: string, key: string): string[] => secrets.strategy.warnings!({
  metadata: {}, type: "kubernetes.io/tls", data: { "tls.crt": Buffer.from(certificate).toString("base64"), "tls.key": Buffer.from(key).toString("base64") },
});
const keys = await crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, true, ["sign", "verify"]);
const pair = {
  certificate: (await X509CertificateGenerator.createSelfSigned({ name: "CN=test", keys, signingAlgorithm: { name: "ECDSA", hash: "SHA-256" } })).toString("pem"),
  key: pem("PRIVATE KEY", Buffer.from(await crypto.subtle.exportKey("pkcs8", keys.privateKey)).toString("base64")),
};
const key = (type: "rsa" | "ec"): string =>
  (type === "rsa" ? generateKeyPairSync("rsa", { modulusLength: 2048 }) : generateKeyPairSync("ec", { namedCurve: "P-256" })).privateKey.export({ format: "pem", type: "pkcs8" }).toString();

test.each([
  ["nothing", "", "", "tls: failed to find any PEM data in certificate input"],
  ["a certificate of no form", pem("CERTIFICATE"), pem("PRIVATE KEY"), "x509: malformed certificate"],
  ["both switched", pair.key, pair.certificate, "tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched"],
  ["other blocks", pem("A") + pem("B"), "", "tls: failed to find \"CERTIFICATE\" PEM block in certificate input after skipping PEM blocks of the following types: [A B]"],
  ["no key", pair.certificate, "", "tls: failed to find any PEM data in key input"],
  ["a certificate for a key", pair.certificate, pair.certificate, "tls: found a certificate rather than a key in the PEM for the private key"],
  ["parameters for a key", pair.certificate, pem("EC PARAMETERS") + pem("DH PARAMETERS"), "tls: failed to find PEM block with type ending in \"PRIVATE KEY\" in key input after skipping PEM blocks of the following types: [EC PARAMETERS DH PARAMETERS]"],
  ["a key of no form", pair.certificate, pem("EC PRIVATE KEY"), "tls: failed to parse private key"],
  ["another type of key", pair.certificate, key("rsa"), "tls: private key type does not match public key type"],
  ["another's key", pair.certificate, key("ec"), "tls: private key does not match public key"],
  ["a pair", pair.certificate, pem("EC PARAMETERS", "BggqhkjOPQMBBw==") + pair.key, undefined],
] as const)("a TLS secret with %s", (_, certificate, privateKey, warning) => {
  expect(warnings(certificate, privateKey)).toEqual(warning ? [warning] : []);
});

test("other secrets are not looked into", () => {
  expect(secrets.strategy.warnings!({ metadata: {}, type: "Opaque", data: { "tls.crt": "" } })).toEqual([]);
});
