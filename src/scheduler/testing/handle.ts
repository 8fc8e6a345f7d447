import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../../apimachinery/resource.ts";
import { namespaces } from "../../apis/builtins.ts";
import type { Lister } from "../../client/informer.ts";
import type { Handle } from "../framework.ts";

type Objects = readonly (readonly [card: AnyResource, objects: readonly Frozen<KubeObject>[]])[];

/** As plugins get it, over these objects and an empty cluster. Namespaces by their labels. */
export function handleOf(objects: Objects = [], labelsOfNamespaces: Record<string, Record<string, string>> = {}): Pick<Handle, "lister" | "snapshot"> {
  const all = new Map<unknown, readonly Frozen<KubeObject>[]>(objects);
  all.set(namespaces, Object.entries(labelsOfNamespaces).map(([name, labels]) => ({ metadata: { name, labels } })));
  return { lister: <T extends KubeObject>(card: ResourceCard<T>) => listerOf<T>(all.get(card) ?? []), snapshot: {} as Handle["snapshot"] };
}

function listerOf<T extends KubeObject>(objects: readonly Frozen<KubeObject>[]): Lister<T> {
  const typed = objects as readonly Frozen<T>[];
  return {
    get: (key) => typed.find(({ metadata: { namespace, name } }) => key === (namespace ? `${namespace}/${name}` : name)),
    list: (namespace) => typed.filter(({ metadata }) => namespace === undefined || metadata.namespace === namespace),
    controlledBy: () => [],
    resourceVersion: "1",
  };
}
