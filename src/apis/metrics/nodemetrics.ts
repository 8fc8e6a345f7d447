import type { KubeObject } from "../../apimachinery/meta.ts";
import { defineResource, nameColumn } from "../../apimachinery/resource.ts";
import { usageColumns } from "./usage-columns.ts";

/** What a node uses: `usage` in quantities, measured over `window` (a Go duration) until `timestamp`. */
export interface NodeMetrics extends KubeObject {
  timestamp: string;
  window: string;
  usage: Record<string, string>;
}

/** Answered, not stored. Source: https://kubernetes.io/docs/reference/external-api/metrics.v1beta1/ */
export const nodemetrics = defineResource<NodeMetrics>({
  group: "metrics.k8s.io", version: "v1beta1", kind: "NodeMetrics", resource: "nodes", singular: "", scope: "Cluster", verbs: ["get", "list"],
  schema: "io.k8s.metrics.pkg.apis.metrics.v1beta1.NodeMetrics",
  columns: [nameColumn(), ...usageColumns<NodeMetrics>(({ usage }) => [usage])],
});
