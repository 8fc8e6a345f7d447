import { thaw, type Frozen } from "../../apimachinery/meta.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { ipaddresses, servicecidrs } from "../../apis/builtins.ts";
import type { Condition } from "../../apis/generated/meta/v1.ts";
import type { IPAddress, ServiceCIDR } from "../../apis/generated/networking/v1.ts";
import { defineController, watchOf, type ReconcileContext } from "../../client/controller.ts";
import { mayGo } from "./plan.ts";

const finalizer = "networking.k8s.io/service-cidr-finalizer";

/** Says which ServiceCIDRs are ready to allocate from, and holds back the deletion of those that services still have addresses of. */
export const serviceCidrs = defineController<ServiceCIDR>({
  name: "service-cidr-controller", for: servicecidrs, writes: [servicecidrs], workers: 1,
  watches: [
    // An address that goes, or another network that comes, may free one that waits to be deleted.
    watchOf(ipaddresses, (current, _, { lister }) => (current ? [] : waiting(lister(servicecidrs).list()))),
    watchOf(servicecidrs, (_, __, { lister }) => waiting(lister(servicecidrs).list())),
  ],
  async reconcile(name, context) {
    const { client, lister } = context;
    const range = lister(servicecidrs).get(name);
    if (!range) return;
    const finalizers = range.metadata.finalizers ?? [];
    if (!range.metadata.deletionTimestamp) {
      if (!finalizers.includes(finalizer)) await client.patch(servicecidrs, { name }, { type: "application/merge-patch+json", body: { metadata: { uid: range.metadata.uid, finalizers: [...finalizers, finalizer] } } });
      await sayReady(context, name, { status: "True", reason: "", message: "Kubernetes Service CIDR is ready" });
    } else if (!mayGo(range, lister(servicecidrs).list(), lister(ipaddresses).list().filter(isAllocated).map(({ metadata }) => metadata.name!))) {
      await sayReady(context, name, { status: "False", reason: "Terminating", message: "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR" });
    } else if (finalizers.includes(finalizer)) {
      await client.patch(servicecidrs, { name }, { type: "application/merge-patch+json", body: { metadata: { uid: range.metadata.uid, finalizers: finalizers.filter((one) => one !== finalizer) } } });
    }
  },
});

/** Addresses that users write down by themselves hold nothing back. */
const isAllocated = ({ metadata: { labels } }: Frozen<IPAddress>): boolean => labels?.["ipaddress.kubernetes.io/managed-by"] === "ipallocator.k8s.io";

const waiting = (ranges: readonly Frozen<ServiceCIDR>[]): string[] => ranges.filter(({ metadata }) => metadata.deletionTimestamp).map(({ metadata }) => metadata.name!);

async function sayReady({ client, lister, now }: ReconcileContext, name: string, said: Pick<Condition, "status" | "reason" | "message">): Promise<void> {
  const range = lister(servicecidrs).get(name), conditions = range?.status?.conditions ?? [];
  const ready = conditions.find(({ type }) => type === "Ready");
  if (!range || ready?.status === said.status) return;
  const changed = thaw<ServiceCIDR>(range);
  changed.status = { conditions: [...conditions.filter(({ type }) => type !== "Ready") as Condition[], { type: "Ready", ...said, lastTransitionTime: formatTime(now()) }] };
  await client.update(servicecidrs, changed, { subresource: "status" });
}
