import type { AnyResource } from "../../apimachinery/resource.ts";
import { nodemetrics } from "./nodemetrics.ts";
import { podmetrics } from "./podmetrics.ts";

/** The group metrics.k8s.io: served unless the user brings a server of metrics. */
export const metricsKinds: readonly AnyResource[] = [nodemetrics, podmetrics];
