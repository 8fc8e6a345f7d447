import { isNotFound } from "../../apimachinery/status.ts";
import { services } from "../../apis/core/service/service.ts";
import type { Client } from "../../client/client.ts";

/**
 * Makes kube-system/kube-dns, by which tools find the cluster's DNS. It selects no pods: each node answers the address itself.
 * To be called at each start; one that is there is left as it is.
 */
export async function ensureClusterDnsService(client: Client, clusterIPs: readonly string[]): Promise<void> {
  const key = { namespace: "kube-system", name: "kube-dns" };
  try {
    await client.get(services, key);
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await client.create(services, {
      metadata: { ...key, labels: { "k8s-app": "kube-dns", "kubernetes.io/cluster-service": "true" } },
      spec: { clusterIP: clusterIPs[0]!, clusterIPs: [...clusterIPs], ...(clusterIPs.length > 1 ? { ipFamilyPolicy: "RequireDualStack" } : {}), ports: [{ name: "dns", protocol: "UDP", port: 53 }, { name: "dns-tcp", protocol: "TCP", port: 53 }] },
    });
  }
}
