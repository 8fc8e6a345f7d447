import { thaw } from "../../apimachinery/meta.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { flowschemas, prioritylevelconfigurations } from "../../apis/builtins.ts";
import type { FlowSchema, FlowSchemaCondition } from "../../apis/generated/flowcontrol/v1.ts";
import { defineController, watchOf } from "../../client/controller.ts";

/** Says of each flow schema whether the priority level that it names is there. Source: k8s.io/apiserver/pkg/util/flowcontrol. */
export const flowSchemas = defineController<FlowSchema>({
  name: "flow-schema-controller", for: flowschemas, writes: [flowschemas],
  watches: [
    watchOf(prioritylevelconfigurations, (current, old, { lister }) => {
      // Only that a level comes or goes matters.
      if (current && old) return [];
      const level = (current ?? old)!.metadata.name;
      return lister(flowschemas).list().filter(({ spec }) => spec.priorityLevelConfiguration?.name === level).map(({ metadata }) => metadata.name!);
    }),
  ],
  async reconcile(name, { client, lister, now }) {
    const schema = lister(flowschemas).get(name);
    if (!schema) return;
    const level = schema.spec.priorityLevelConfiguration.name, conditions = schema.status?.conditions ?? [];
    const wanted = dangling(level, lister(prioritylevelconfigurations).get(level) !== undefined);
    const current = conditions.find(({ type }) => type === wanted.type);
    if (current && current.status === wanted.status && current.reason === wanted.reason && current.message === wanted.message) return;
    const changed = thaw<FlowSchema>(schema);
    const since = current?.status === wanted.status ? current?.lastTransitionTime : formatTime(now());
    changed.status = { conditions: [...(changed.status?.conditions ?? []).filter(({ type }) => type !== wanted.type), { ...wanted, lastTransitionTime: since }] };
    await client.update(flowschemas, changed, { subresource: "status" });
  },
});

function dangling(level: string, exists: boolean): FlowSchemaCondition {
  const references = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
  return exists
    ? { type: "Dangling", status: "False", reason: "Found", message: `${references} and it exists` }
    : { type: "Dangling", status: "True", reason: "NotFound", message: `${references} but there is no such object` };
}
