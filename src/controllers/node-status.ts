import type { Frozen } from "../apimachinery/meta.ts";
import type { Node } from "../apis/generated/core/v1.ts";

export const isNodeReady = (node: Frozen<Node>): boolean => node.status?.conditions?.some(({ type, status }) => type === "Ready" && status === "True") ?? false;
