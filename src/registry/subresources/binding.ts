import { notSupported, required } from "../../apimachinery/field-errors.ts";
import { thaw } from "../../apimachinery/meta.ts";
import { badRequest, conflict, invalid } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import type { Binding, Pod } from "../../apis/generated/core/v1.ts";
import type { Status } from "../../apis/generated/meta/v1.ts";
import type { SubresourceCall } from "./creator.ts";
import { updateView } from "./update-view.ts";

/** POST pods/binding: puts a pod on a node, once. Source: kubernetes pkg/registry/core/pod/storage (BindingREST). */
export async function createBinding({ machinery, card, key, body, options }: SubresourceCall): Promise<Status> {
  const binding = body as Binding;
  const { target } = binding;
  if (binding.metadata?.name && binding.metadata.name !== key.name) throw badRequest("name in URL does not match name in Binding object");
  if (target?.kind && target.kind !== "Node") throw invalid({ group: "", kind: "Binding" }, key.name, [notSupported("target.kind", target.kind, ["Node", "<empty>"])]);
  if (!target?.name) throw invalid({ group: "", kind: "Binding" }, key.name, [required("target.name")]);
  await updateView<Pod>(machinery, card, key, options, (current) => {
    const refuse = (detail: string): Error => conflict({ group: "", resource: "pods/binding" }, key.name, detail);
    if (binding.metadata?.uid && binding.metadata.uid !== current.metadata.uid) {
      throw refuse(`Precondition failed: UID in precondition: ${binding.metadata.uid}, UID in object meta: ${current.metadata.uid}`);
    }
    if (current.metadata.deletionTimestamp) throw refuse(`pod ${key.name} is being deleted, cannot be assigned to a host`);
    if (current.spec.nodeName) throw refuse(`pod ${key.name} is already assigned to node ${JSON.stringify(current.spec.nodeName)}`);
    if (current.spec.schedulingGates?.length) throw refuse(`pod ${key.name} has non-empty .spec.schedulingGates`);
    return bound(thaw<Pod>(current), binding, formatTime(machinery.clock.now()));
  });
  return { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 };
}

function bound(pod: Pod, { target, metadata }: Binding, now: string): Pod {
  pod.spec.nodeName = target.name;
  // A promise of a node has served its purpose, or was broken.
  delete pod.status?.nominatedNodeName;
  if (metadata?.annotations) pod.metadata.annotations = { ...pod.metadata.annotations, ...metadata.annotations };
  if (metadata?.labels) pod.metadata.labels = { ...pod.metadata.labels, ...metadata.labels };
  const status = (pod.status ??= {});
  const conditions = (status.conditions ??= []);
  const known = conditions.findIndex(({ type }) => type === "PodScheduled");
  conditions.splice(known < 0 ? conditions.length : known, 1, { type: "PodScheduled", status: "True", lastTransitionTime: now });
  return pod;
}
