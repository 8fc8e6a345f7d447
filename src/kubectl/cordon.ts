import type { Node } from "../apis/generated/core/v1.ts";
import { defineCommand, type Command } from "./command.ts";
import { forEachDespiteErrors } from "./errors.ts";
import { text } from "./flags.ts";
import type { Session } from "./session.ts";

/** The nodes that arguments or a selector name. */
export async function nodesOf(session: Session, args: readonly string[], selector: string): Promise<Node[]> {
  if (selector) return (await session.api.json<{ items: Node[] }>("/api/v1/nodes", { query: { labelSelector: selector } })).items;
  return Promise.all(args.map((name) => session.api.json<Node>(`/api/v1/nodes/${encodeURIComponent(name.replace(/^nodes?\//, ""))}`)));
}

/** Marks a node as (un)schedulable and tells so. `dryRun` is what the command was given. */
export async function setUnschedulable(session: Session, { metadata, spec }: Node, unschedulable: boolean, dryRun: string): Promise<void> {
  const done = unschedulable ? "cordoned" : "uncordoned";
  const suffix = dryRun === "client" ? " (dry run)" : dryRun === "server" ? " (server dry run)" : "";
  const already = (spec?.unschedulable ?? false) === unschedulable;
  if (!already && dryRun !== "client") {
    await session.api.json(`/api/v1/nodes/${metadata!.name}`, { method: "PATCH", contentType: "application/strategic-merge-patch+json", body: { spec: { unschedulable: unschedulable || null } }, query: dryRun === "server" ? { dryRun: "All" } : {} });
  }
  session.out(`node/${metadata!.name} ${already ? `already ${done}` : done}${suffix}\n`);
}

const commandOf = (name: string, summary: string, unschedulable: boolean): Command => defineCommand({
  name, usage: `${name} NODE`, summary, flags: { selector: text("Selector (label query) to filter on", { short: "l" }), dryRun: text('Must be "none", "server", or "client".', { default: "none", bare: "client" }) },
  async run({ args, flags: given, connect, usageError }) {
    if (args.length === 0 && !given.selector) throw usageError(`USAGE: ${name} NODE [flags]`);
    const session = await connect();
    await forEachDespiteErrors(await nodesOf(session, args, given.selector), (node) => setUnschedulable(session, node, unschedulable, given.dryRun));
  },
});

export const cordonCommand = commandOf("cordon", "Mark node as unschedulable", true);
export const uncordonCommand = commandOf("uncordon", "Mark node as schedulable", false);
