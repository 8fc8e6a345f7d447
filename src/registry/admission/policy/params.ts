import type { Frozen, KubeObject } from "../../../apimachinery/meta.ts";
import type { AnyResource } from "../../../apimachinery/resource.ts";
import { fromLabelSelector, matchesLabels } from "../../../apimachinery/selectors/labels.ts";
import type { ParamKind, ParamRef } from "../../../apis/generated/admissionregistration/v1.ts";
import type { Listers } from "../../listers.ts";

/** One object that parameterises a policy; undefined where the policy or the binding wants none. */
export type Param = Frozen<KubeObject> | undefined;

export interface ParamSource {
  listers: Listers;
  /** All that is served now. */
  cards(): readonly AnyResource[];
}

/** The card of a policy's paramKind. Throws when no such kind is served. */
export function paramCard({ cards }: ParamSource, { apiVersion = "", kind = "" }: Frozen<ParamKind>): AnyResource {
  const [version = "", group = ""] = apiVersion.split("/").toReversed();
  const card = cards().find((one) => one.group === group && one.version === version && one.kind === kind);
  if (!card) throw new Error(`failed to find resource referenced by paramKind: '${group ? `${group}/${version}` : `/${version}`}, Kind=${kind}'`);
  return card;
}

/**
 * The objects a binding's policy is evaluated with, once each. Throws an Error that says what is wrong with the binding.
 * Source: k8s.io/apiserver/pkg/admission/plugin/policy/generic/policy_dispatcher.go CollectParams.
 */
export async function collectParams(source: ParamSource, kind: Frozen<ParamKind> | undefined, reference: Frozen<ParamRef> | undefined, namespace: string): Promise<Param[]> {
  if (!kind || !reference) return [undefined];
  const card = paramCard(source, kind);
  const within = scopeOf(card, reference, namespace);
  const found = (await inVersion(card, candidates(source, card, reference, within))).map((object) => ({ ...object, apiVersion: kind.apiVersion, kind: kind.kind }));
  if (found.length === 0 && reference.parameterNotFoundAction === "Deny") throw new Error("no params found for policy binding with `Deny` parameterNotFoundAction");
  return found;
}

/** The namespace that holds the params: that of the binding, or of the request. */
function scopeOf({ scope }: AnyResource, { namespace: wanted = "" }: Frozen<ParamRef>, namespace: string): string {
  if (scope === "Cluster") {
    if (wanted) throw new Error("paramRef.namespace must not be provided for a cluster-scoped `paramKind`");
    return "";
  }
  if (!wanted && !namespace) throw new Error("cannot use namespaced paramRef in policy binding that matches cluster-scoped resources");
  return wanted || namespace;
}

function candidates({ listers }: ParamSource, card: AnyResource, { name, selector }: Frozen<ParamRef>, namespace: string): readonly Frozen<KubeObject>[] {
  const lister = listers<KubeObject>(card.stored?.group ?? card.group, card.stored?.resource ?? card.resource);
  if (name) {
    const found = lister.get(namespace ? `${namespace}/${name}` : name);
    return found ? [found] : [];
  }
  if (!selector) throw new Error("one of name or selector must be provided");
  const parsed = fromLabelSelector(selector);
  return lister.list(namespace).filter(({ metadata }) => matchesLabels(parsed, metadata.labels));
}

const inVersion = async (card: AnyResource, objects: readonly Frozen<KubeObject>[]): Promise<readonly Frozen<KubeObject>[]> => (card.stored ? await card.stored.read(objects) : objects);
