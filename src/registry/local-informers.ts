import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { ResourceCard } from "../apimachinery/resource.ts";
import type { ChangeHandler, Informer, InformerFactory, Lister } from "../client/informer.ts";
import type { Cacher, Entry } from "../storage/cacher/cacher.ts";
import type { Listers } from "./listers.ts";
import { parseSelection, type Selection } from "./selection.ts";
import { prefixOf } from "./store.ts";

export interface Scope {
  namespace?: string;
  fieldSelector?: string;
  labelSelector?: string;
}

const controllerIndex = "controller";

/** Informers straight on the cacher: its own objects, no copies, no store beside it. `onChange` runs within the commit. */
export function createLocalInformers(cacher: Cacher): InformerFactory {
  const shared = new Map<string, Informer<never>>();
  /** Those of all objects of a kind: they are asked for with each event. */
  const whole = new WeakMap<ResourceCard<never>, Informer<never>>();
  const wholeOf = <T extends KubeObject>(card: ResourceCard<T>): Informer<T> => {
    const known = whole.get(card as never) as Informer<T> | undefined;
    if (known) return known;
    const informer = informerOf(card, {});
    whole.set(card as never, informer as unknown as Informer<never>);
    return informer;
  };
  const informerOf = <T extends KubeObject>(card: ResourceCard<T>, scope: Scope): Informer<T> => {
    const id = JSON.stringify([prefixOf(card), scope.namespace, scope.fieldSelector, scope.labelSelector]);
    let informer = shared.get(id) as Informer<T> | undefined;
    if (!informer) shared.set(id, (informer = createInformer(cacher, card, scope)) as unknown as Informer<never>);
    return informer;
  };
  return { informer: (card, scope) => (scope ? informerOf(card, scope) : wholeOf(card)) };
}

/** Listers by name, for admission and others that hold no cards. */
export function createListers(cacher: Cacher): Listers {
  return <T extends KubeObject>(group: string, resource: string) => createLister<T>(cacher, prefixOf({ group, resource }), "", undefined);
}

function createInformer<T extends KubeObject>(cacher: Cacher, card: ResourceCard<T>, scope: Scope): Informer<T> {
  const prefix = prefixOf(card);
  const scoped = scope.namespace ? prefixOf(card, scope.namespace) : prefix;
  const parsed = parseSelection(card, scope);
  const selection = parsed.all ? undefined : parsed;
  const indexed = indexFor(cacher, card, prefix, parsed);
  return {
    lister: createLister<T>(cacher, prefix, scope.namespace ?? "", selection, indexed),
    onChange(handler) {
      for (const { object } of cacher.list<T>(scoped)) if (!selection || selection.matches(object)) handler(undefined, object);
      return cacher.onChange<T>(scoped, selection ? filtered(selection, handler) : (old, current) => handler(old, current));
    },
    synced: async () => undefined,
  };
}

/** With a selector, an object that stops to match is gone, and one that starts to is new. */
function filtered<T extends KubeObject>({ matches }: Selection<T>, handler: ChangeHandler<T>): ChangeHandler<T> {
  return (old, current) => {
    const before = old && matches(old) ? old : undefined;
    const after = current && matches(current) ? current : undefined;
    if (before || after) handler(before, after);
  };
}

type Indexed<T extends KubeObject> = () => readonly Entry<T>[];

/** A scope such as spec.nodeName=a is read through an index of that field. */
function indexFor<T extends KubeObject>(cacher: Cacher, card: ResourceCard<T>, prefix: string, selection: Selection<T>): Indexed<T> | undefined {
  for (const [field, valueOf] of Object.entries(card.fieldSelectors)) {
    const value = selection.required(field);
    if (value === undefined) continue;
    const name = `field:${field}`;
    cacher.index<T>(prefix, name, (object) => [valueOf(object)]);
    return () => cacher.byIndex<T>(prefix, name, value);
  }
  return undefined;
}

function createLister<T extends KubeObject>(cacher: Cacher, prefix: string, namespace: string, selection: Selection<T> | undefined, indexed?: Indexed<T>): Lister<T> {
  const inScope = (object: Frozen<T>, within: string): boolean =>
    (!within || (object as Frozen<KubeObject>).metadata.namespace === within) && (!selection || selection.matches(object));
  const all = (within: string): readonly Entry<T>[] => (indexed ? indexed() : cacher.list<T>(within ? `${prefix}${within}/` : prefix));
  return {
    get(key) {
      const object = cacher.get<T>(prefix + key)?.object;
      return object && inScope(object, namespace) ? object : undefined;
    },
    list(wanted = "") {
      if (wanted && namespace && wanted !== namespace) return [];
      const within = wanted || namespace;
      const objects: Frozen<T>[] = [];
      for (const { object } of all(within)) if (inScope(object, within)) objects.push(object);
      return objects;
    },
    controlledBy(ownerUid) {
      cacher.index<KubeObject>(prefix, controllerIndex, controllersOf);
      return cacher.byIndex<T>(prefix, controllerIndex, ownerUid).map(({ object }) => object).filter((object) => inScope(object, namespace));
    },
    get resourceVersion() {
      return String(cacher.revision);
    },
  };
}

function controllersOf({ metadata: { ownerReferences } }: Frozen<KubeObject>): readonly string[] {
  const controller = ownerReferences?.find((reference) => reference.controller);
  return controller ? [controller.uid] : [];
}
