import type { KubeObject } from "../../apimachinery/meta.ts";
import { defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { usageColumns } from "./usage-columns.ts";

/** What the containers of a pod use: `usage` in quantities, measured over `window` (a Go duration) until `timestamp`. */
export interface PodMetrics extends KubeObject {
  timestamp: string;
  window: string;
  containers: { name: string; usage: Record<string, string> }[];
}

/** Answered, not stored. Source: https://kubernetes.io/docs/reference/external-api/metrics.v1beta1/ */
export const podmetrics = defineResource<PodMetrics>({
  group: "metrics.k8s.io", version: "v1beta1", kind: "PodMetrics", resource: "pods", singular: "", scope: "Namespaced", verbs: ["get", "list"],
  schema: "io.k8s.metrics.pkg.apis.metrics.v1beta1.PodMetrics",
  columns: [nameColumn(), ...usageColumns<PodMetrics>(({ containers }) => containers.map(({ usage }) => usage))],
});
