import { semanticEqual } from "../../apimachinery/equality.ts";
import { thaw, type Frozen, type KubeObject } from "../../apimachinery/meta.ts";
import type { ResourceCard } from "../../apimachinery/resource.ts";
import { isAlreadyExists, isNotFound } from "../../apimachinery/status.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { autoUpdateAnnotation, mandatory, suggested } from "../../apis/flowcontrol/bootstrap.ts";
import { flowschemas, type FlowSchema } from "../../apis/flowcontrol/flowschema.ts";
import { prioritylevelconfigurations } from "../../apis/flowcontrol/prioritylevelconfiguration.ts";
import type { Client } from "../../client/client.ts";

interface Configuration extends KubeObject {
  spec: object;
}

/**
 * Makes the priority levels and flow schemas that every cluster has, and brings those up to date that nobody has taken over.
 * To be called at each start. Source: k8s.io/kubernetes/pkg/registry/flowcontrol/ensurer.
 */
export async function ensureFlowControl(client: Client, now: number): Promise<void> {
  const levels = [...mandatory.priorityLevels, ...suggested.priorityLevels];
  await Promise.all(levels.map((wanted) => ensure(client, prioritylevelconfigurations, wanted, mandatory.priorityLevels.includes(wanted))));
  await Promise.all([...mandatory.flowSchemas, ...suggested.flowSchemas].map(async (wanted) => {
    await sayThatLevelExists(client, await ensure(client, flowschemas, wanted, mandatory.flowSchemas.includes(wanted)), now);
  }));
}

async function ensure<T extends Configuration>(client: Client, card: ResourceCard<T>, wanted: T, always: boolean): Promise<Frozen<T>> {
  const key = { name: wanted.metadata.name! };
  try {
    const current = await client.get(card, key), revised = revise<T>(current, wanted, always);
    return revised ? await client.update(card, revised) : current;
  } catch (error) {
    if (!isNotFound(error)) throw error;
  }
  try {
    return await client.create(card, structuredClone(wanted));
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return client.get(card, key);
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

async function sayThatLevelExists(client: Client, schema: Frozen<FlowSchema>, now: number): Promise<void> {
  if (schema.status?.conditions?.some(({ type }) => type === "Dangling")) return;
  const changed = thaw<FlowSchema>(schema), level = schema.spec.priorityLevelConfiguration.name;
  changed.status = { conditions: [{
    type: "Dangling", status: "False", lastTransitionTime: formatTime(now), reason: "Found",
    message: `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)} and it exists`,
  }] };
  await client.update(flowschemas, changed, { subresource: "status" });
}
