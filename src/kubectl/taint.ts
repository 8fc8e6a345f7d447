import type { Node, Taint } from "../apis/generated/core/v1.ts";
import { defineCommand } from "./command.ts";
import { nodesOf } from "./cordon.ts";
import { forEachDespiteErrors, KubectlError } from "./errors.ts";
import { bool, text } from "./flags.ts";
import type { PlainObject } from "./objects.ts";
import { dryRunOf, fieldManagerFlag, outcomeText, writeQuery, writingFlags } from "./writing.ts";

/** `key=value:Effect` adds, `key-`, `key:Effect-` remove. */
function parseTaint(written: string): Taint & { removed: boolean } {
  const [, key = "", value, effect, minus] = /^([^=:]+?)(?:=([^:]*))?(?::(\w+))?(-)?$/.exec(written) ?? [];
  const removed = minus !== undefined;
  if (!key || (!removed && !effect)) throw new KubectlError(`invalid taint spec: ${written}`);
  if (effect && !["NoSchedule", "PreferNoSchedule", "NoExecute"].includes(effect)) throw new KubectlError(`invalid taint effect: ${effect}, unsupported taint effect`);
  return { key, ...(value ? { value } : {}), effect: (effect ?? "") as Taint["effect"], removed };
}

export const taintCommand = defineCommand({
  name: "taint", usage: "taint NODE NAME KEY_1=VAL_1:TAINT_EFFECT_1 ... KEY_N=VAL_N:TAINT_EFFECT_N [flags]", summary: "Update the taints on one or more nodes", flags: { ...writingFlags, ...fieldManagerFlag("kubectl-taint"), overwrite: bool("If true, allow taints to be overwritten, otherwise reject taint updates that overwrite existing taints."), all: bool("Select all nodes in the cluster"), selector: text("Selector (label query) to filter on", { short: "l" }) },
  async run({ args, flags: given, connect, usageError }) {
    const [type = "", ...rest] = args;
    if (!/^(?:node|nodes|no)(?:\/.+)?$/.test(type)) throw usageError("one or more resources must be specified as <resource> <name>");
    const names = [...(type.includes("/") ? [type.split("/")[1]!] : []), ...rest.filter((arg) => !/[=:]|-$/.test(arg))], changes = rest.filter((arg) => /[=:]|-$/.test(arg)).map(parseTaint);
    if (changes.length === 0) throw new KubectlError("at least one taint update is required");
    const session = await connect();
    const nodes = given.all ? (await session.api.json<{ items: Node[] }>("/api/v1/nodes")).items : await nodesOf(session, names, given.selector);
    await forEachDespiteErrors(nodes, async ({ metadata, spec }) => {
      let taints: Taint[] = spec?.taints ?? [];
      for (const { removed, ...taint } of changes) {
        const same = ({ key, effect }: Taint): boolean => key === taint.key && (!taint.effect || effect === taint.effect);
        if (removed && !taints.some(same)) throw new KubectlError(`taint ${JSON.stringify(taint.effect ? `${taint.key}:${taint.effect}` : taint.key)} not found`);
        if (!removed && taints.some(same) && !given.overwrite) throw new KubectlError(`node ${metadata!.name} already has ${taint.key} taint(s) with same effect(s) and --overwrite is false`);
        taints = [...taints.filter((each) => !same(each)), ...(removed ? [] : [taint])];
      }
      const identity = { apiVersion: "v1", kind: "Node", metadata: { name: metadata!.name! } };
      const result = dryRunOf(given) === "client" ? identity : await session.api.json<PlainObject>(`/api/v1/nodes/${metadata!.name}`, { method: "PATCH", contentType: "application/merge-patch+json", body: { spec: { taints: taints.length ? taints : null } }, query: writeQuery(given) });
      session.out(outcomeText({ ...result, apiVersion: "v1", kind: "Node" }, changes.every(({ removed }) => removed) ? "untainted" : changes.some(({ removed }) => removed) ? "modified" : "tainted", given));
    });
  },
});
