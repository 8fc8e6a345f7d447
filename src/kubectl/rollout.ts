import type { ControllerRevision, ReplicaSet } from "../apis/generated/apps/v1.ts";
import type { PodTemplateSpec } from "../apis/generated/core/v1.ts";
import type { JsonObject } from "../apimachinery/own.ts";
import { applyStrategicMergePatch } from "../apimachinery/patch/strategic.ts";
import { defineCommand, defineGroup } from "./command.ts";
import { Description } from "./describe/description.ts";
import { describePodTemplate } from "./describe/pod.ts";
import { forEachDespiteErrors, KubectlError } from "./errors.ts";
import { bool, duration, number } from "./flags.ts";
import { lastAppliedAnnotation } from "./last-applied.ts";
import { at, objectName, type PlainObject } from "./objects.ts";
import { podSelectorOf } from "./pods.ts";
import { revisionAnnotation, rolloutStatus } from "./rollout-status.ts";
import { type Selected, selectedFlags, selectObjects } from "./selected.ts";
import type { Session } from "./session.ts";
import { TimedOut, waitForObject } from "./wait.ts";
import { dryRunOf, fieldManagerFlag, outcomeText, writeQuery, writingFlags } from "./writing.ts";

const changeCause = "kubernetes.io/change-cause";
const required = (args: readonly string[], filename: readonly string[]): void => {
  if (args.length === 0 && filename.length === 0) throw new KubectlError("required resource not specified");
};

const status = defineCommand({
  name: "status", usage: "status (TYPE NAME | TYPE/NAME) [flags]", summary: "Show the status of the rollout",
  flags: { ...selectedFlags, watch: bool("Watch the status of the rollout until it's done.", { default: true, short: "w" }), revision: number("Pin to a specific revision for showing its status.", 0), timeout: duration("The length of time to wait before ending watch, zero means never.", 0) },
  async run({ args, flags: given, connect }) {
    required(args, given.filename);
    const session = await connect();
    const until = performance.now() + (given.timeout || 2 ** 31 - 1);
    const selected = await selectObjects(session, args, given, { bulk: true });
    if (selected.length === 0) session.err(`No resources found in ${session.namespace} namespace.\n`);
    await forEachDespiteErrors(selected, async ({ resource, object }) => {
      let told = "";
      await waitForObject(session, { resource, namespace: object.metadata.namespace, name: object.metadata.name! }, (state) => {
        if (!state) throw new KubectlError("object has been deleted");
        const { message, done } = rolloutStatus({ ...state, kind: object.kind! }, given.revision);
        if (message !== told) session.out(told = message);
        return done || !given.watch;
      }, until).catch((error: unknown) => {
        throw error instanceof TimedOut ? new KubectlError("timed out waiting for the condition") : error;
      });
    });
  },
});

/** A workload's former templates. */
interface Revision { revision: number; cause: string | undefined; template: PodTemplateSpec; annotations: Record<string, string> }

async function revisionsOf(session: Session, { object, resource }: Selected): Promise<Revision[]> {
  const { namespace, uid } = object.metadata;
  const owned = <T extends { metadata?: { ownerReferences?: { uid: string }[] } }>({ items }: { items: T[] }): T[] => items.filter(({ metadata }) => metadata?.ownerReferences?.some((owner) => owner.uid === uid));
  const read = <T>(what: string): Promise<{ items: T[] }> => session.api.json(`/apis/apps/v1/namespaces/${namespace}/${what}`, { query: { labelSelector: podSelectorOf(object) } });
  if (object.kind === "Deployment") {
    return owned(await read<ReplicaSet>("replicasets")).filter(({ metadata }) => metadata?.annotations?.[revisionAnnotation]).map(({ metadata, spec }) => ({
      revision: Number(metadata!.annotations![revisionAnnotation]), cause: metadata!.annotations![changeCause], template: spec!.template!, annotations: metadata!.annotations!,
    })).sort((a, b) => a.revision - b.revision);
  }
  if (object.kind !== "DaemonSet" && object.kind !== "StatefulSet") throw new KubectlError(`no history viewer has been implemented for ${JSON.stringify(`${object.kind}.${resource.group}`)}`);
  return owned(await read<ControllerRevision>("controllerrevisions")).map(({ metadata, revision, data }) => ({
    revision, cause: metadata?.annotations?.[changeCause], annotations: metadata?.annotations ?? {},
    template: at(applyStrategicMergePatch<JsonObject>(`io.k8s.api.apps.v1.${object.kind}`, object, data), "spec", "template") as PodTemplateSpec,
  })).sort((a, b) => a.revision - b.revision);
}

const history = defineCommand({
  name: "history", usage: "history (TYPE NAME | TYPE/NAME) [flags]", summary: "View rollout history", flags: { ...selectedFlags, revision: number("See the details, including podTemplate of the revision specified", 0) },
  async run({ args, flags: given, connect }) {
    required(args, given.filename);
    if (given.revision < 0) throw new KubectlError(`revision must be a positive integer: ${given.revision}`);
    const session = await connect();
    await forEachDespiteErrors(await selectObjects(session, args, given, { bulk: true }), async (selected) => {
      const revisions = await revisionsOf(session, selected);
      const name = objectName(selected.object);
      if (given.revision === 0) {
        const table = new Description().line(0, "REVISION\tCHANGE-CAUSE");
        for (const { revision, cause } of revisions) table.line(0, `${revision}\t${cause || "<none>"}`);
        return session.out(`${name} \n${revisions.length ? String(table) : "No rollout history found."}\n`);
      }
      const found = revisions.find(({ revision }) => revision === given.revision);
      if (!found) throw new KubectlError("unable to find the specified revision");
      const template = { ...found.template, metadata: { ...found.template.metadata, ...(found.cause ? { annotations: { ...found.template.metadata?.annotations, [changeCause]: found.cause } } : {}) } };
      const text = new Description();
      describePodTemplate(text, template);
      session.out(`${name} with revision #${given.revision}\n${text.raw}\n`);
    });
  },
});

/** Annotations of a Deployment that stay as they are when an older template comes back. */
const keptAnnotations = new Set([lastAppliedAnnotation, revisionAnnotation, "deployment.kubernetes.io/revision-history", "deployment.kubernetes.io/desired-replicas", "deployment.kubernetes.io/max-replicas", "deprecated.deployment.rollback.to"]);
const hashLabel = "pod-template-hash";

function withoutHash({ metadata = {}, ...rest }: PodTemplateSpec): PodTemplateSpec {
  const { [hashLabel]: _, ...labels } = metadata.labels ?? {};
  return { metadata: { ...metadata, labels }, ...rest };
}

const undo = defineCommand({
  name: "undo", usage: "undo (TYPE NAME | TYPE/NAME) [flags]", summary: "Undo a previous rollout", flags: { ...selectedFlags, ...writingFlags, toRevision: number("The revision to rollback to. Default to 0 (last revision).", 0) },
  async run({ args, flags: given, connect }) {
    required(args, given.filename);
    const session = await connect();
    await forEachDespiteErrors(await selectObjects(session, args, given, { bulk: true }), async (selected) => {
      const { object, path } = selected;
      if (at(object, "spec", "paused") === true) throw new KubectlError("you cannot rollback a paused deployment; resume it first with 'kubectl rollout resume' and try again");
      const revisions = await revisionsOf(session, selected);
      const wanted = given.toRevision ? revisions.find(({ revision }) => revision === given.toRevision) : revisions.at(-2);
      if (!wanted) throw new KubectlError(given.toRevision ? `unable to find specified revision ${given.toRevision} in history` : object.kind === "Deployment" ? `no rollout history found for deployment ${JSON.stringify(object.metadata.name)}` : "no last revision to roll back to");
      const template = withoutHash(wanted.template), current = withoutHash(at(object, "spec", "template") as PodTemplateSpec);
      if (Bun.deepEquals(template, current)) return session.out(outcomeText(object, `skipped rollback (current template already matches revision ${given.toRevision})`, given));
      if (object.metadata.annotations?.[lastAppliedAnnotation] !== undefined) session.err(`Warning: resource ${selected.resource.resource}/${object.metadata.name} was previously managed with 'kubectl apply'. Rolling back will not update the ${lastAppliedAnnotation} annotation, which may cause unexpected behavior on future 'kubectl apply' operations. Consider using 'kubectl apply' with your previous configuration file instead.\n`);
      if (dryRunOf(given) !== "client") {
        const annotations = Object.fromEntries([...Object.entries(object.metadata.annotations ?? {}).filter(([key]) => keptAnnotations.has(key)), ...Object.entries(wanted.annotations).filter(([key]) => !keptAnnotations.has(key))]);
        const body = [{ op: "replace", path: "/spec/template", value: template }, ...(object.kind === "Deployment" ? [{ op: "add", path: "/metadata/annotations", value: annotations }] : [])];
        await session.api.json(path, { method: "PATCH", contentType: "application/json-patch+json", body, query: writeQuery(given) });
      }
      session.out(outcomeText(object, "rolled back", given));
    });
  },
});

interface Change { name: string; summary: string; outcome: string; patch: object; refused?(object: PlainObject): string | undefined }

const paused = (object: PlainObject): boolean => at(object, "spec", "paused") === true;

const changes = [
  {
    name: "restart", summary: "Restart a resource", outcome: "restarted",
    get patch() {
      return { spec: { template: { metadata: { annotations: { "kubectl.kubernetes.io/restartedAt": `${new Date().toISOString().slice(0, 19)}Z` } } } } };
    },
    refused: (object) => (paused(object) ? "can't restart paused deployment (run rollout resume first)" : undefined),
  },
  { name: "pause", summary: "Mark the provided resource as paused", outcome: "paused", patch: { spec: { paused: true } }, refused: (object) => (paused(object) ? "is already paused" : undefined) },
  { name: "resume", summary: "Resume a paused resource", outcome: "resumed", patch: { spec: { paused: null } }, refused: (object) => (paused(object) ? undefined : "is not paused") },
] satisfies Change[] as Change[];

const changeCommands = changes.map((change) => defineCommand({
  name: change.name, usage: `${change.name} RESOURCE [flags]`, summary: change.summary, flags: { ...selectedFlags, ...writingFlags, ...fieldManagerFlag("kubectl-rollout") },
  async run({ args, flags: given, connect }) {
    required(args, given.filename);
    const session = await connect();
    await forEachDespiteErrors(await selectObjects(session, args, given, { bulk: true }), async ({ resource, object, path }) => {
      const possible = change.name === "restart" ? at(object, "spec", "template") !== undefined && resource.group === "apps" && object.kind !== "ReplicaSet" : object.kind === "Deployment";
      const refused = possible ? change.refused?.(object) : change.name === "restart" ? "restarting is not supported" : `${change.name.replace(/e$/, "")}ing is not supported`;
      if (refused) throw new KubectlError(`${resource.resource}${resource.group ? `.${resource.group}` : ""} ${JSON.stringify(object.metadata.name)} ${refused}`);
      const result = dryRunOf(given) === "client" ? object : await session.api.json<PlainObject>(path, { method: "PATCH", contentType: "application/strategic-merge-patch+json", body: change.patch, query: writeQuery(given) });
      session.out(outcomeText({ ...result, apiVersion: object.apiVersion!, kind: object.kind! }, change.outcome, given));
    });
  },
}));

export const rolloutCommand = defineGroup({ name: "rollout", summary: "Manage the rollout of a resource", subcommands: [history, ...changeCommands, status, undo] });
