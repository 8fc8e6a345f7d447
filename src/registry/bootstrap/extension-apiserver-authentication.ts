import { thaw } from "../../apimachinery/meta.ts";
import { isAlreadyExists, isNotFound } from "../../apimachinery/status.ts";
import { configmaps } from "../../apis/core/configmap.ts";
import type { ConfigMap } from "../../apis/generated/core/v1.ts";
import type { Client } from "../../client/client.ts";

const key = { namespace: "kube-system", name: "extension-apiserver-authentication" };

/**
 * Tells extension API servers how requests from here are authenticated: by whose certificates, and by which header fields.
 * Source: k8s.io/kubernetes pkg/controlplane/controller/clusterauthenticationtrust.
 */
export async function ensureExtensionApiServerAuthentication(client: Client, { clientCa, frontProxyCa, allowedNames }: { clientCa: string; frontProxyCa: string; allowedNames: readonly string[] }): Promise<void> {
  const data: Record<string, string> = {
    "client-ca-file": clientCa, "requestheader-client-ca-file": frontProxyCa,
    "requestheader-allowed-names": JSON.stringify(allowedNames), "requestheader-username-headers": '["X-Remote-User"]', "requestheader-uid-headers": '["X-Remote-Uid"]',
    "requestheader-group-headers": '["X-Remote-Group"]', "requestheader-extra-headers-prefix": '["X-Remote-Extra-"]',
  };
  try {
    const found = thaw<ConfigMap>(await client.get(configmaps, key));
    if (!Bun.deepEquals(found.data, data)) await client.update(configmaps, { ...found, data });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await client.create(configmaps, { metadata: { ...key }, data }).catch((raced: unknown) => {
      if (!isAlreadyExists(raced)) throw raced;
    });
  }
}
