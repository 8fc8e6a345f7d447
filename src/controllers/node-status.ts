import type { Frozen } from "../apimachinery/meta.ts";
import type { Node } from "../apis/generated/core/v1.ts";

/** `Unknown` also for a node that never said. */
export const readyStatus = (node: Frozen<Node>): string => node.status?.conditions?.find(({ type }) => type === "Ready")?.status ?? "Unknown";

export const isNodeReady = (node: Frozen<Node>): boolean => readyStatus(node) === "True";
