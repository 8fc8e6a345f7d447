import type { Frozen } from "../../apimachinery/meta.ts";
import type { Node } from "../generated/core/v1.ts";

const name = "node.skiff.io/autonomy";

/**
 * Whether the node was made, by a label or an annotation `node.skiff.io/autonomy: "true"`, to go on by itself for as long as nobody reaches it:
 * a machine on a ship, or behind a line that fails. Its pods are its own affair then; others elsewhere would do another machine's work.
 */
export const isAutonomous = (node: Frozen<Node> | undefined): boolean => node?.metadata.labels?.[name] === "true" || node?.metadata.annotations?.[name] === "true";
