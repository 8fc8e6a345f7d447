import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import type { ResourceCard } from "../../apimachinery/resource.ts";
import { formatTime } from "../../apimachinery/time.ts";
import type { CustomResourceDefinition } from "../../apis/generated/apiextensions/v1.ts";
import { cleanupFinalizer } from "./controller.ts";
import { withCondition } from "./conditions.ts";
import { packedForm } from "./packing.ts";

/** The card of CustomResourceDefinition where definitions are acted on: stored packed, and not gone before their instances. */
export const servedDefinitions = (card: ResourceCard<CustomResourceDefinition>): ResourceCard<CustomResourceDefinition> => ({
  ...card,
  stored: packedForm(),
  anyFinalizer: true,
  strategy: { ...card.strategy, beginDeletion, deletionStampOnly: true },
});

/** For the registry's hooks: a definition that isn't being deleted yet never goes at once. */
export const definitionHook = { holdsDeletion: ({ metadata }: Frozen<KubeObject>): boolean => !metadata.deletionTimestamp };

function beginDeletion(definition: CustomResourceDefinition): void {
  const { metadata } = definition;
  if (!metadata.finalizers?.includes(cleanupFinalizer)) metadata.finalizers = [...(metadata.finalizers ?? []), cleanupFinalizer];
  const status = (definition.status ??= { conditions: [], acceptedNames: { plural: "", kind: "" }, storedVersions: [] });
  status.conditions = withCondition(status.conditions, {
    type: "Terminating", status: "True", reason: "InstanceDeletionPending", message: "CustomResourceDefinition marked for deletion; CustomResource deletion will begin soon",
  }, metadata.deletionTimestamp ?? formatTime(0));
}
