import { nodes } from "../apis/core/node.ts";
import type { Client } from "../client/client.ts";
import type { InformerFactory } from "../client/informer.ts";

export const roleLabel = "node-role.kubernetes.io/control-plane";

/**
 * Marks the server's own node, so that `kubectl get nodes` shows its role. A kubelet may not do so itself: labels of kubernetes.io decide
 * where workloads run. https://kubernetes.io/docs/reference/labels-annotations-taints/#node-role-kubernetes-io-control-plane
 */
export async function labelServerNode({ client, informers, nodeName }: { client: Client; informers: InformerFactory; nodeName: string }, signal: AbortSignal): Promise<void> {
  const own = informers.informer(nodes, { fieldSelector: `metadata.name=${nodeName}` });
  await new Promise<void>((resolve, reject) => {
    const unsubscribe = own.onChange((_, node) => {
      if (!node || node.metadata.labels?.[roleLabel] !== undefined) return;
      client.patch(nodes, { name: nodeName }, { type: "application/merge-patch+json", body: { metadata: { labels: { [roleLabel]: "" } } } }).catch(reject);
    });
    signal.addEventListener("abort", () => {
      unsubscribe();
      resolve();
    }, { once: true });
  });
}
