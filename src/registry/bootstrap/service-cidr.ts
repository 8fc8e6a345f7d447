import { isNotFound } from "../../apimachinery/status.ts";
import type { Frozen } from "../../apimachinery/meta.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { servicecidrs, type ServiceCIDR } from "../../apis/networking/servicecidr.ts";
import type { Client } from "../../client/client.ts";

const name = "kubernetes";

/** Makes the ServiceCIDR of the server's own service networks, and says that it is ready. To be called at each start; one that is there keeps its networks. */
export async function ensureServiceCidr(client: Client, cidrs: readonly string[], now: number): Promise<void> {
  const range = await getOrCreate(client, cidrs);
  if (range.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True")) return;
  // A patch: the controller of ServiceCIDRs may be at it as well.
  const conditions = [{ type: "Ready", status: "True", reason: "", message: "Kubernetes default Service CIDR is ready", lastTransitionTime: formatTime(now) }];
  await client.patch(servicecidrs, { name }, { type: "application/merge-patch+json", body: { status: { conditions } } }, { subresource: "status" });
}

async function getOrCreate(client: Client, cidrs: readonly string[]): Promise<Frozen<ServiceCIDR>> {
  try {
    return await client.get(servicecidrs, { name });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    return client.create(servicecidrs, { metadata: { name }, spec: { cidrs: [...cidrs] } });
  }
}
