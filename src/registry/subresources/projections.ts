import { cloneJson } from "../../apimachinery/clone.ts";
import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { methodNotAllowed } from "../../apimachinery/status.ts";

type Loose = KubeObject & { spec?: Record<string, unknown>; status?: unknown };

/**
 * Subresources that are views of the object itself: what of `wanted` each lets through, laid over the stored object.
 * Neither argument is changed; the result shares nothing with `old`.
 */
const projections: Readonly<Record<string, (wanted: Loose, old: Loose) => Loose>> = {
  /** Labels, annotations and finalizers pass as well: Kubernetes' status strategies take over the spec alone. */
  status: (wanted, old) => {
    const { metadata: oldMetadata, status: _, ...rest } = cloneJson(old);
    const metadata = { ...wanted.metadata };
    if (oldMetadata.ownerReferences) metadata.ownerReferences = oldMetadata.ownerReferences;
    else delete metadata.ownerReferences;
    return { ...rest, metadata, ...(wanted.status === undefined ? {} : { status: wanted.status }) };
  },
  /** Of namespaces: spec.finalizers alone. */
  finalize: (wanted, old) => {
    const object = cloneJson(old);
    return { ...object, spec: { ...object.spec, finalizers: wanted.spec?.finalizers ?? [] } };
  },
  /** Of pods: added debug containers. */
  ephemeralcontainers: (wanted, old) => {
    const object = cloneJson(old);
    return { ...object, spec: { ...object.spec, ephemeralContainers: wanted.spec?.ephemeralContainers } };
  },
  /** Of pods: what containers, and the pod as a whole, may use. Containers that don't match are left for validation to refuse. */
  resize: (wanted, old) => {
    const object = cloneJson(old), spec: Record<string, unknown> = { ...object.spec };
    for (const list of ["containers", "initContainers"]) {
      const now = (wanted.spec?.[list] ?? []) as Sized[], was = (spec[list] ?? []) as Sized[];
      const matching = now.length === was.length && now.every(({ name }, index) => name === was[index]!.name);
      if (was.length + now.length > 0) spec[list] = matching ? was.map((container, index) => sized(container, now[index]!)) : now;
    }
    if (wanted.spec?.["resources"] !== undefined) spec["resources"] = wanted.spec["resources"];
    else delete spec["resources"];
    return { ...object, spec };
  },
  /** Of certificate signing requests: the conditions alone. */
  approval: (wanted, old) => {
    const object = cloneJson(old), { conditions } = (wanted.status ?? {}) as { conditions?: unknown };
    const { conditions: _, ...status } = (object.status ?? {}) as Record<string, unknown>;
    return { ...object, metadata: wanted.metadata, status: { ...status, ...(conditions === undefined ? {} : { conditions }) } };
  },
};

type Sized = { name?: string; resources?: unknown; resizePolicy?: unknown };

function sized(container: Sized, { resources, resizePolicy }: Sized): Sized {
  const changed = { ...container };
  delete changed.resources;
  delete changed.resizePolicy;
  return { ...changed, ...(resources === undefined ? {} : { resources }), ...(resizePolicy === undefined ? {} : { resizePolicy }) };
}

export const isProjection = (subresource: string): boolean => Object.hasOwn(projections, subresource);

export function projectSubresource<T extends KubeObject>(card: AnyResource, subresource: string, wanted: T, old: Frozen<T>): T {
  const project = projections[subresource];
  if (!project) throw methodNotAllowed();
  return project(wanted as Loose, old as Loose) as T;
}
