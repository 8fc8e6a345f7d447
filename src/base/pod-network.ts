/**
 * How pods of different nodes reach each other.
 *
 * - `auto`: by a plain route where the other node is on a link of this one, else by VXLAN
 * - `routes`, `vxlan`: always so
 * - `none`: Skiff has no pod network; somebody else writes the CNI configuration
 */
export const podNetworkModes = ["auto", "routes", "vxlan", "none"] as const;
export type PodNetworkMode = (typeof podNetworkModes)[number];
