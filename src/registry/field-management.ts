import { emptySet, setOf, type FieldSet } from "../apimachinery/managedfields/field-set.ts";
import { type ManagedWrite } from "../apimachinery/managedfields/field-manager.ts";
import { readManagers } from "../apimachinery/managedfields/managers.ts";
import { fieldElement } from "../apimachinery/managedfields/path-element.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import { objectSchemaOf } from "../apimachinery/object-schema.ts";
import type { AnyResource } from "../apimachinery/resource.ts";
import { formatTime } from "../apimachinery/time.ts";
import type { AdmissionAttributes } from "./admission/admission.ts";
import type { RequestContext } from "./attributes.ts";
import type { Machinery } from "./machinery.ts";

/** How a request's write is recorded in managedFields: by the manager it names, else by its client's own name. */
export function managedWrite({ clock }: Pick<Machinery, "clock">, { defaultManager = "" }: RequestContext, card: AnyResource, subresource: string, fieldManager: string | undefined): ManagedWrite {
  const { group, version, kind } = card;
  return { type: objectSchemaOf(card).mergeType, group, version, kind, manager: fieldManager || defaultManager, subresource, reset: resetOf(card, subresource), now: formatTime(clock.now()) };
}

const statusReset = setOf(["f:status"]), specReset = setOf(["f:spec"]);
const resets = new WeakMap<AnyResource, Map<string, FieldSet>>();

function resetOf(card: AnyResource, subresource: string): FieldSet {
  const own = card.strategy.resetFields?.[subresource];
  if (!own) return subresource === "status" ? specReset : !subresource && card.subresources.status ? statusReset : emptySet;
  let known = resets.get(card);
  if (!known) resets.set(card, known = new Map<string, FieldSet>());
  let reset = known.get(subresource);
  if (!reset) known.set(subresource, reset = setOf(...own.map((path) => path.map(fieldElement))));
  return reset;
}

const components: readonly [prefix: string, manager: string][] = [
  ["system:serviceaccount:kube-system:", "kube-controller-manager"], ["system:node:", "kubelet"], ["system:apiserver", "kube-apiserver"],
];

/** What managedFields call a component of this process: what it is in a cluster of separate ones, by the user it is. */
export const managerOfComponent = (userName: string): string =>
  components.find(([prefix]) => userName.startsWith(prefix))?.[1] ?? userName.slice(userName.lastIndexOf(":") + 1);

/** Whether a write would change nothing but when managers last wrote: no reason for a new revision. */
export function equalButForTimes(object: KubeObject, old: Frozen<KubeObject>): boolean {
  if (!equalBut("metadata", object, old) || !equalBut("managedFields", object.metadata, old.metadata)) return false;
  const entries = object.metadata.managedFields ?? [], known = old.metadata.managedFields ?? [];
  return entries.length === known.length && entries.every((entry, i) => entry === known[i] || equalBut("time", entry, known[i]!));
}

/** Whether all fields but one are equal; what is undefined counts as missing. */
function equalBut(field: string, a: object, b: object): boolean {
  const left = a as Record<string, unknown>, right = b as Record<string, unknown>;
  for (const name in left) if (name !== field && left[name] !== right[name] && !Bun.deepEquals(left[name], right[name])) return false;
  for (const name in right) if (name !== field && right[name] !== undefined && !Object.hasOwn(left, name)) return false;
  return true;
}

/**
 * Mutating admission. managedFields that can't be read after it are as they were before, with a warning.
 * Source: k8s.io/apiserver/pkg/endpoints/handlers/fieldmanager/admission.go.
 */
export async function admit({ admission }: Pick<Machinery, "admission">, attributes: AdmissionAttributes): Promise<void> {
  const before = attributes.object?.metadata?.managedFields;
  await admission.admit(attributes);
  const metadata = attributes.object?.metadata;
  if (!metadata || metadata.managedFields === before) return;
  const fault = unreadable(metadata.managedFields);
  if (fault !== undefined) {
    metadata.managedFields = before;
    attributes.context.warn(`.metadata.managedFields was in an invalid state after admission; this could be caused by an outdated mutating admission controller; please fix your requests: ${fault}`);
  }
  if (!metadata.managedFields?.length) delete metadata.managedFields;
}

function unreadable(entries: Frozen<KubeObject>["metadata"]["managedFields"]): string | undefined {
  try {
    readManagers(entries, false);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
