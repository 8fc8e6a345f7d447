import { createHmac } from "node:crypto";
import { expect, test } from "bun:test";
import type { Secret } from "../../apis/generated/core/v1.ts";
import { bootstrapToken, signatures } from "./plan.ts";

const token = (id: string, data: Record<string, string> = {}, type = "bootstrap.kubernetes.io/token"): Secret => ({
  metadata: { name: `bootstrap-token-${id}`, namespace: "kube-system" }, type,
  data: Object.fromEntries(Object.entries({ "token-id": id, "token-secret": "0123456789abcdef", "usage-bootstrap-signing": "true", ...data }).map(([name, value]) => [name, Buffer.from(value).toString("base64")])),
});
const now = Date.parse("2026-01-01T00:00:00Z");

test("each token signs what there is, and signatures of others go", () => {
  const secrets = [token("abcdef"), token("ended1", { expiration: "2025-12-31T00:00:00Z" }), token("unread", { expiration: "soon" }), token("unused", { "usage-bootstrap-signing": "false" }), token("opaque", {}, "Opaque"), token("wrongs", { "token-id": "other1" })];
  const signed = signatures({ kubeconfig: "text", "jws-kubeconfig-gone12": "x", other: "kept" }, secrets as never, now);
  expect(Object.keys(signed).sort()).toEqual(["jws-kubeconfig-abcdef", "kubeconfig", "other"]);
  const [header, content, signature] = signed["jws-kubeconfig-abcdef"]!.split(".");
  expect([Buffer.from(header!, "base64url").toString(), content]).toEqual(['{"alg":"HS256","kid":"abcdef"}', ""]);
  expect(signature).toBe(createHmac("sha256", "0123456789abcdef").update(`${header}.dGV4dA`).digest("base64url"));
});

test("the signature that k8s.io/cluster-bootstrap computes", () => {
  const secret = { ...token("joshua", { "token-secret": "my voice is my passcode" }) };
  expect(signatures({ kubeconfig: "Hello from the other side. I must have called a thousand times." }, [secret] as never, now)["jws-kubeconfig-joshua"])
    .toBe("eyJhbGciOiJIUzI1NiIsImtpZCI6Impvc2h1YSJ9..VShe2taLd-YTrmWuRkcL_8QTNDHYxQIEBsAYYiIj1_8");
});

test("tokens elsewhere are none", () => {
  const secret = token("abcdef");
  expect(bootstrapToken({ ...secret, metadata: { ...secret.metadata, namespace: "default" } } as never)).toBeUndefined();
});
