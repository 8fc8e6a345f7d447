import { isAlreadyExists } from "../../apimachinery/status.ts";
import { namespaces } from "../../apis/core/namespace.ts";
import type { Client } from "../../client/client.ts";

export const systemNamespaces = ["default", "kube-system", "kube-public", "kube-node-lease"] as const;

/** Makes the namespaces that every cluster has. */
export async function ensureSystemNamespaces(client: Client): Promise<void> {
  await Promise.all(systemNamespaces.map(async (name) => {
    try {
      await client.create(namespaces, { metadata: { name }, spec: {} });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }));
}
