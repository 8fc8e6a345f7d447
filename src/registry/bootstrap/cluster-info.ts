import { thaw } from "../../apimachinery/meta.ts";
import { isAlreadyExists, isNotFound } from "../../apimachinery/status.ts";
import { configmaps } from "../../apis/core/configmap.ts";
import type { ConfigMap } from "../../apis/generated/core/v1.ts";
import type { Client } from "../../client/client.ts";

const key = { namespace: "kube-public", name: "cluster-info" };

/** Where the cluster is and how to know it, for who joins it: a kubeconfig without a user, which bootstrap tokens sign (controllers/bootstrap-signer). */
export async function ensureClusterInfo(client: Client, kubeconfig: string): Promise<void> {
  try {
    const found = thaw<ConfigMap>(await client.get(configmaps, key));
    if (found.data?.["kubeconfig"] !== kubeconfig) await client.update(configmaps, { ...found, data: { ...found.data, kubeconfig } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await client.create(configmaps, { metadata: { ...key }, data: { kubeconfig } }).catch((raced: unknown) => {
      if (!isAlreadyExists(raced)) throw raced;
    });
  }
}
