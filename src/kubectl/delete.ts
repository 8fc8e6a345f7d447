import { defineCommand, type Call } from "./command.ts";
import { apiVersionOf, pathOf, type Resource } from "./discovery.ts";
import { forEachDespiteErrors, isNotFound, isReason, KubectlError, withSource } from "./errors.ts";
import { bool, duration, number, text, type FlagValues } from "./flags.ts";
import { readAll } from "./get.ts";
import { manifestFlags, readManifests, resolveManifest } from "./manifests.ts";
import { typeName, type PlainObject } from "./objects.ts";
import type { Session } from "./session.ts";
import { pathOfTarget, selectionFlags, targetsOf } from "./targets.ts";
import { waitForObject } from "./wait.ts";
import { dryRunOf } from "./writing.ts";

const flags = {
  ...selectionFlags, ...manifestFlags,
  all: bool("Delete all resources, in the namespace of the specified resource types."),
  cascade: text('Must be "background", "orphan", or "foreground".', { default: "background", bare: "background" }),
  dryRun: text('Must be "none", "server", or "client".', { default: "none", bare: "client" }),
  force: bool("If true, immediately remove resources from API and bypass graceful deletion."),
  gracePeriod: number("Period of time in seconds given to the resource to terminate gracefully.", -1),
  ignoreNotFound: bool('Treat "resource not found" as a successful delete.'),
  interactive: bool("If true, delete resource only when user confirms.", { short: "i" }),
  now: bool("If true, resources are signaled for immediate shutdown (same as --grace-period=1)."),
  output: text('Output mode. Use "-o name" for shorter output (resource/name).', { short: "o" }),
  timeout: duration("The length of time to wait before giving up on a delete, zero means determine a timeout from the size of the object", 0),
  wait: bool("If true, wait for resources to be gone before returning.", { default: true }),
  raw: text("Raw URI to DELETE to the server."),
} as const;
type DeleteFlags = FlagValues<typeof flags>;

interface Doomed { resource: Resource; namespace: string | undefined; name: string; source: string; uid?: string }

export const deleteCommand = defineCommand({
  name: "delete", usage: "delete ([-f FILENAME] | TYPE [(NAME | -l label | --all)]) [flags]", summary: "Delete resources by file names, stdin, resources and names, or by resources and label selector", flags,
  async run(call) {
    const { flags: given, connect, terminal } = call;
    const session = await connect();
    if (given.raw) return session.out(`${await session.api.text(given.raw, { method: "DELETE" })}\n`);
    const options = deleteOptions(given, terminal);
    const doomed = await selected(call, session);
    if (given.interactive && !await confirmed(session, doomed)) return session.out("deletion is cancelled\n");
    const gone: Doomed[] = [];
    await forEachDespiteErrors(doomed, async (one) => {
      const uid = await remove(session, one, options, given);
      if (uid !== null) gone.push({ ...one, ...(uid ? { uid } : {}) });
    });
    if (doomed.length === 0 || (gone.length === 0 && dryRunOf(given) === "none")) return session.out(doomed.length === 0 ? "No resources found\n" : "");
    if (given.wait && dryRunOf(given) === "none" && !(given.gracePeriod === 0 && given.force)) await waitUntilGone(session, gone, given.timeout || 168 * 3_600_000);
  },
});

function deleteOptions(given: DeleteFlags, { err }: { err(text: string): void }): Record<string, unknown> {
  if (given.now && given.gracePeriod !== -1) throw new KubectlError("--now and --grace-period cannot be specified together");
  if (given.now) given.gracePeriod = 1;
  if (given.force && given.gracePeriod < 0) given.gracePeriod = 0;
  if (given.gracePeriod === 0 && !given.force) {
    // As kubectl: without --force the shortest there is.
    given.gracePeriod = 1;
  } else if (given.force && given.gracePeriod > 0) {
    throw new KubectlError("--force and --grace-period greater than 0 cannot be specified together");
  } else if (given.force) {
    err("Warning: Immediate deletion does not wait for confirmation that the running resource has been terminated. The resource may continue to run on the cluster indefinitely.\n");
  }
  const policies: Record<string, string> = { background: "Background", foreground: "Foreground", orphan: "Orphan", true: "Background", false: "Orphan" };
  const propagationPolicy = policies[given.cascade];
  if (!propagationPolicy) throw new KubectlError(`invalid cascade value (${given.cascade}). Must be "background", "foreground", or "orphan"`);
  return { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy, ...(given.gracePeriod >= 0 ? { gracePeriodSeconds: given.gracePeriod } : {}), ...(dryRunOf(given) === "server" ? { dryRun: ["All"] } : {}) };
}

async function selected({ args, flags: given, terminal }: Call<typeof flags>, session: Session): Promise<Doomed[]> {
  if (given.filename.length) {
    const manifests = await readManifests(given, terminal);
    return Promise.all(manifests.map(async (manifest) => ({ ...await resolveManifest(session, manifest), name: manifest.object.metadata.name ?? "", source: manifest.source })));
  }
  const targets = await targetsOf(session.discovery, args);
  const bulk = targets.some(({ name }) => name === undefined);
  if (bulk && !given.all && !given.selector && !given.fieldSelector) throw new KubectlError("resource(s) were provided, but no name was specified");
  if (!bulk && (given.selector || given.fieldSelector)) throw new KubectlError("name cannot be provided when a selector is specified");
  if (!bulk && given.all) throw new KubectlError("name cannot be provided when the all flag is specified");
  const found = await Promise.all(targets.map(async (target): Promise<Doomed[]> => {
    const { resource, name } = target;
    if (name !== undefined) return [{ resource, name, namespace: resource.namespaced ? session.namespace : undefined, source: "" }];
    const objects = await readAll(session.api, resource, pathOfTarget(target, session, given), given);
    return objects.map(({ metadata }) => ({ resource, name: metadata.name!, namespace: metadata.namespace, source: "" }));
  }));
  return found.flat();
}

/** Deletes one. Resolves with its uid, "" when the server didn't say, null when it wasn't there and needn't be. */
async function remove(session: Session, { resource, namespace, name, source }: Doomed, options: Record<string, unknown>, given: DeleteFlags): Promise<string | null> {
  const path = pathOf(resource, namespace, name);
  try {
    const answer = dryRunOf(given) === "client" ? undefined : await session.api.json<PlainObject & { details?: { uid?: string } }>(path, { method: "DELETE", body: options });
    const type = typeName({ apiVersion: apiVersionOf(resource), kind: resource.kind });
    const how = `${given.gracePeriod === 0 ? "force " : ""}deleted${namespace ? ` from ${namespace} namespace` : ""}${given.dryRun === "client" ? " (dry run)" : given.dryRun === "server" ? " (server dry run)" : ""}`;
    session.out(given.output === "name" ? `${type}/${name}\n` : `${type} ${JSON.stringify(name)} ${how}\n`);
    return answer?.details?.uid ?? answer?.metadata.uid ?? "";
  } catch (error) {
    if (isNotFound(error) && (given.ignoreNotFound || given.all)) return null;
    throw withSource(error, "deleting", source);
  }
}

async function waitUntilGone(session: Session, gone: readonly Doomed[], timeout: number): Promise<void> {
  const until = performance.now() + timeout;
  await forEachDespiteErrors(gone, async ({ resource, namespace, name, uid }) => {
    await waitForObject(session, { resource, namespace, name }, (object) => object === undefined || (uid !== undefined && object.metadata.uid !== uid), until).catch((error: unknown) => {
      if (!isReason(error, "Forbidden", "MethodNotAllowed")) throw error;
    });
  });
}

async function confirmed(session: Session, doomed: readonly Doomed[]): Promise<boolean> {
  session.out(`You are about to delete the following ${doomed.length} resource(s):\n${doomed.map(({ resource, name }) => `${typeName({ apiVersion: apiVersionOf(resource), kind: resource.kind })}/${name}\n`).join("")}Do you want to continue? (y/N): `);
  for await (const chunk of session.stdin) return /^y\s*$/i.test(String(chunk));
  return false;
}
