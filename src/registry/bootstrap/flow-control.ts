import { semanticEqual } from "../../apimachinery/equality.ts";
import { thaw, type Frozen, type KubeObject } from "../../apimachinery/meta.ts";
import type { ResourceCard } from "../../apimachinery/resource.ts";
import { isAlreadyExists, isNotFound } from "../../apimachinery/status.ts";
import { autoUpdateAnnotation, mandatory, suggested } from "../../apis/flowcontrol/bootstrap.ts";
import { flowschemas } from "../../apis/flowcontrol/flowschema.ts";
import { prioritylevelconfigurations } from "../../apis/flowcontrol/prioritylevelconfiguration.ts";
import type { Client } from "../../client/client.ts";

interface Configuration extends KubeObject {
  spec: object;
}

/**
 * Makes the priority levels and flow schemas that every cluster has, and brings those up to date that nobody has taken over.
 * To be called at each start. Source: k8s.io/kubernetes/pkg/registry/flowcontrol/ensurer.
 */
export async function ensureFlowControl(client: Client): Promise<void> {
  const levels = [...mandatory.priorityLevels, ...suggested.priorityLevels];
  await Promise.all(levels.map((wanted) => ensure(client, prioritylevelconfigurations, wanted, mandatory.priorityLevels.includes(wanted))));
  await Promise.all([...mandatory.flowSchemas, ...suggested.flowSchemas].map((wanted) => ensure(client, flowschemas, wanted, mandatory.flowSchemas.includes(wanted))));
}

async function ensure<T extends Configuration>(client: Client, card: ResourceCard<T>, wanted: T, always: boolean): Promise<void> {
  const key = { name: wanted.metadata.name! };
  try {
    const current = await client.get(card, key), revised = revise<T>(current, wanted, always);
    if (revised) await client.update(card, revised);
    return;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  try {
    await client.create(card, structuredClone(wanted));
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
  }
}

/** What to write over `current`; undefined when it is right, or somebody's own. */
function revise<T extends Configuration>(current: Frozen<T>, wanted: T, always: boolean): T | undefined {
  const object = thaw<T>(current), { annotations, generation } = object.metadata;
  const annotation = annotations?.[autoUpdateAnnotation];
  const update = always || (annotation === undefined ? generation === 1 : annotation === "true");
  const specChanges = update && !sameSpec(object, wanted, always);
  if (annotation === String(update) && !specChanges) return undefined;
  object.metadata.annotations = { ...annotations, [autoUpdateAnnotation]: String(update) };
  if (specChanges) object.spec = structuredClone(wanted.spec);
  return object;
}

/** The exempt level's shares are the one thing of mandatory objects that may be set. */
function sameSpec<T extends Configuration>({ spec }: T, { spec: wanted }: T, always: boolean): boolean {
  return semanticEqual(spec, wanted) || (always && "exempt" in spec && "exempt" in wanted && semanticEqual({ ...spec, exempt: undefined }, { ...wanted, exempt: undefined }));
}
