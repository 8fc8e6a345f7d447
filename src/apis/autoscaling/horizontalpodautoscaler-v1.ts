import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { defineResource } from "../../apimachinery/resource.ts";
import type { HorizontalPodAutoscaler as V1 } from "../generated/autoscaling/v1.ts";
import type { HorizontalPodAutoscaler as V2 } from "../generated/autoscaling/v2.ts";
import { autoscalerColumns, horizontalpodautoscalers } from "./horizontalpodautoscaler.ts";
import { statusAnnotations, toV1, toV2 } from "./v1-conversion.ts";

const { strategy } = horizontalpodautoscalers;
const frozenV2 = (object: Frozen<V1>): Frozen<V2> => toV2(object) as Frozen<V2>;

/** autoscaling/v1 of what is stored as v2: the rules are those of v2, and name its fields. */
export const horizontalpodautoscalersV1 = defineResource<V1>({
  group: "autoscaling", version: "v1", kind: "HorizontalPodAutoscaler", resource: "horizontalpodautoscalers", scope: "Namespaced", shortNames: ["hpa"], categories: ["all"],
  subresources: { status: true },
  schema: "io.k8s.api.autoscaling.v1.HorizontalPodAutoscaler",
  default(autoscaler) {
    const { spec } = autoscaler;
    if (spec) spec.minReplicas ??= 1;
    // Annotations that say nothing more go, and the CPU target that v2 adds where no metric is named shows.
    Object.assign(autoscaler, toV1(frozenV2(autoscaler as Frozen<V1>)));
  },
  strategy: {
    prepareForCreate(autoscaler) {
      delete autoscaler.metadata.generation;
      for (const name of statusAnnotations) delete autoscaler.metadata.annotations?.[name];
      autoscaler.status = { currentReplicas: 0, desiredReplicas: 0 };
    },
    prepareForUpdate(autoscaler, old) {
      keepStatusAnnotations(autoscaler, old);
    },
    validate: (autoscaler) => strategy.validate!(frozenV2(autoscaler)),
    validateUpdate: (autoscaler, old) => strategy.validateUpdate!(frozenV2(autoscaler), frozenV2(old)),
    validateStatusUpdate: (autoscaler, old) => strategy.validateStatusUpdate!(frozenV2(autoscaler), frozenV2(old)),
  },
  columns: autoscalerColumns<V1>(frozenV2),
  stored: {
    group: "autoscaling", resource: "horizontalpodautoscalers",
    read: (objects) => objects.map((object) => asV1(object as Frozen<V2>)),
    write: (object) => toV2(object as Frozen<V1>),
  },
  example: () => ({
    apiVersion: "autoscaling/v1", kind: "HorizontalPodAutoscaler", metadata: { name: "example", namespace: "default" },
    spec: { scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "example" }, maxReplicas: 3 },
  }),
});

/** Part of the status lies in annotations, which an update of the main resource leaves as they are. */
function keepStatusAnnotations({ metadata }: V1, old: Frozen<V1>): void {
  for (const name of statusAnnotations) {
    const was = old.metadata.annotations?.[name];
    if (was !== undefined) metadata.annotations = { ...metadata.annotations, [name]: was };
    else delete metadata.annotations?.[name];
  }
}

const converted = new WeakMap<Frozen<KubeObject>, Frozen<V1>>();

function asV1(object: Frozen<V2>): Frozen<V1> {
  const known = converted.get(object);
  if (known) return known;
  const made = toV1(object) as Frozen<V1>;
  converted.set(object, made);
  return made;
}
