import { isAlreadyExists, isNotFound } from "../../apimachinery/status.ts";
import { namespaces } from "../../apis/core/namespace.ts";
import type { Client } from "../../client/client.ts";

export const systemNamespaces = ["default", "kube-system", "kube-public", "kube-node-lease"] as const;

/** Makes the namespaces that every cluster has. Writes nothing where they are there: a full etcd refuses what would change nothing, too. */
export async function ensureSystemNamespaces(client: Client): Promise<void> {
  await Promise.all(systemNamespaces.map(async (name) => {
    if (await isThere(client, name)) return;
    try {
      await client.create(namespaces, { metadata: { name }, spec: {} });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }));
}

const isThere = (client: Client, name: string): Promise<boolean> => client.get(namespaces, { name }).then(() => true, (error: unknown) => {
  if (isNotFound(error)) return false;
  throw error;
});
