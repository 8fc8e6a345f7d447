import { dump } from "js-yaml";
import type { KeyPair } from "./pki/certificate.ts";

/** A kubeconfig with an embedded CA and client certificate, as `kubectl config view --raw` would show it. */
export function kubeconfig({ server, ca, client }: { server: string; ca: string; client: KeyPair }): string {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  return dump({
    apiVersion: "v1", kind: "Config", "current-context": "default", preferences: {},
    clusters: [{ name: "default", cluster: { server, "certificate-authority-data": base64(ca) } }],
    contexts: [{ name: "default", context: { cluster: "default", user: "default" } }],
    users: [{ name: "default", user: { "client-certificate-data": base64(client.certificate), "client-key-data": base64(client.key) } }],
  }, { lineWidth: -1 });
}
