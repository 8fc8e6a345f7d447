import type { AnyResource } from "../apimachinery/resource.ts";
import { noSuchPath } from "../apimachinery/status.ts";
import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import type { Scale } from "../apis/generated/autoscaling/v1.ts";
import type { Client, ObjectKey } from "../client/client.ts";
import type { ServedKinds } from "../client/controller.ts";

/** What scalable objects are reached by, whatever their kind: the role of a controller that reads scales, or changes them. */
export const scaleRule = (...verbs: ("get" | "update")[]): { apiGroups: string[]; resources: string[]; verbs: string[] } => ({ apiGroups: ["*"], resources: ["*/scale"], verbs });

/** Throws an Error worded as Go's schema.ParseGroupVersion. */
export function parseGroupVersion(apiVersion = ""): { group: string; version: string } {
  const parts = apiVersion.split("/");
  if (parts.length > 2) throw new Error(`unexpected GroupVersion string: ${apiVersion}`);
  const [group = "", version = ""] = parts.length === 2 ? parts : ["", ...parts];
  return { group, version };
}

/** The card that a reference means: in its version if that is served, else in another that is; undefined when none is. */
export function cardOfKind({ cards }: ServedKinds, { group, version }: { group: string; version: string }, kind: string): AnyResource | undefined {
  const found = cards.filter((card) => card.group === group && card.kind === kind && card.verbs.includes("get"));
  return found.find((card) => card.version === version) ?? found[0];
}

/** Reads `/scale` from the server. Throws a 404 for an object that is not there, and for a kind that has no scale or no namespace. */
export async function getScale(client: Client, card: AnyResource, key: Required<ObjectKey>): Promise<Frozen<Scale>> {
  if (!card.subresources.scale || card.scope !== "Namespaced") throw noSuchPath();
  return await client.get<KubeObject>(card, key, { subresource: "scale" }) as unknown as Frozen<Scale>;
}

/** Writes `/scale`, with the resourceVersion that `scale` was read with. */
export async function updateScale(client: Client, card: AnyResource, scale: Scale): Promise<void> {
  await client.update<KubeObject>(card, scale as unknown as KubeObject, { subresource: "scale" });
}
