import { dump } from "js-yaml";
import type { KeyPair } from "./pki/certificate.ts";

/** What a joining node needs to know: where the API is and by which CA to know it, no user. As kubeadm has it in kube-public/cluster-info. */
export const clusterInfo = ({ server, ca }: { server: string; ca: string }): string => dump({
  apiVersion: "v1", clusters: [{ cluster: { "certificate-authority-data": Buffer.from(ca).toString("base64"), server }, name: "" }],
  contexts: [], "current-context": "", kind: "Config", preferences: {}, users: [],
}, { lineWidth: -1 });

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
