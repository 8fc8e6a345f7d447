import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import type { RequestContext } from "../attributes.ts";

export type Operation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT";

/** One write as admission sees it. */
export interface AdmissionAttributes {
  context: RequestContext;
  operation: Operation;
  card: AnyResource;
  /** Empty for the main resource. */
  subresource: string;
  /** Empty for cluster-scoped kinds. For a Namespace itself, its own name, as in Kubernetes. */
  namespace: string;
  /** Empty for `admit` while generateName has not been resolved. */
  name: string;
  /** Absent for DELETE. The subresource's own kind for binding, eviction and token. */
  object?: KubeObject;
  /** Absent for CREATE. */
  oldObject?: Frozen<KubeObject>;
  dryRun: boolean;
  /** CreateOptions, UpdateOptions, PatchOptions or DeleteOptions with kind and apiVersion, as admission webhooks and policies see them. */
  options?: Readonly<Record<string, unknown>>;
  /** Set by the chain while it admits. */
  reinvocation?: Reinvocation;
}

/**
 * When a webhook or a mutating policy has changed the object, all mutating steps run once more.
 * Source: k8s.io/apiserver/pkg/admission/reinvocation.go.
 */
export interface Reinvocation {
  /** True in the second round. */
  readonly again: boolean;
  /** Asks for a second round. */
  request(): void;
  /** What a plugin wants to remember from one round to the next, by its name. */
  readonly memory: Map<string, unknown>;
}

/** A step that may change or refuse a write. Throws `StatusError` to refuse. */
export interface Admission {
  name: string;
  operations: readonly Operation[];
  /** `pods`, `services/status`, `roles.rbac.authorization.k8s.io`, or `*` for every main resource and subresource. */
  resources: readonly string[];
  /** May change `object`. */
  admit?(attributes: AdmissionAttributes): void | Promise<void>;
  /** Runs after validation, when nothing changes the object any more. */
  validate?(attributes: AdmissionAttributes): void | Promise<void>;
}

/** Gives a plugin its type. */
export const defineAdmission = (admission: Admission): Admission => admission;

/** The ordered plugins as one: all mutating steps, later all validating ones. */
export interface AdmissionChain {
  admit(attributes: AdmissionAttributes): Promise<void>;
  validate(attributes: AdmissionAttributes): Promise<void>;
}

export function chainAdmission(plugins: readonly Admission[]): AdmissionChain {
  const mutating = concernedOf(plugins.filter((plugin) => plugin.admit));
  const validating = concernedOf(plugins.filter((plugin) => plugin.validate));
  return {
    async admit(attributes) {
      const round = { again: false, requested: false, memory: new Map<string, unknown>(), request: () => void (round.requested = true) };
      attributes.reinvocation = round;
      const concerned = mutating(attributes);
      for (const plugin of concerned) {
        const pending = plugin.admit!(attributes);
        if (pending) await pending;
      }
      if (!round.requested) return;
      round.again = true;
      for (const plugin of concerned) await plugin.admit!(attributes);
    },
    async validate(attributes) {
      for (const plugin of validating(attributes)) {
        const pending = plugin.validate!(attributes);
        if (pending) await pending;
      }
    },
  };
}

/** The plugins that handle a write, found once for each operation on each resource. */
function concernedOf(plugins: readonly Admission[]): (attributes: AdmissionAttributes) => readonly Admission[] {
  const known = new WeakMap<AnyResource, Map<string, readonly Admission[]>>();
  return (attributes) => {
    const { card, operation, subresource } = attributes;
    let ofCard = known.get(card);
    if (!ofCard) known.set(card, ofCard = new Map<string, readonly Admission[]>());
    const write = subresource ? `${operation} ${subresource}` : operation;
    let concerned = ofCard.get(write);
    if (!concerned) ofCard.set(write, concerned = plugins.filter((plugin) => handles(plugin, attributes)));
    return concerned;
  };
}

/** Whether a plugin asked for this operation on this resource. */
export function handles(plugin: Admission, { operation, card, subresource }: AdmissionAttributes): boolean {
  if (!plugin.operations.includes(operation)) return false;
  const resource = card.group ? `${card.resource}.${card.group}` : card.resource;
  const path = subresource ? `${resource}/${subresource}` : resource;
  return plugin.resources.some((wanted) => wanted === "*" || wanted === path);
}
