import { isObject, type JsonObject } from "../apimachinery/own.ts";
import { defineCommand } from "./command.ts";
import { apiVersionOf, pathOf } from "./discovery.ts";
import { forEachDespiteErrors, isNotFound, isReason, KubectlError, withSource } from "./errors.ts";
import { bool, duration, number, text, type FlagValues } from "./flags.ts";
import { lastAppliedAnnotation, lastAppliedOf, withLastApplied } from "./last-applied.ts";
import { manifestFlags, readManifests, resolveManifest, type Manifest, type Resolved } from "./manifests.ts";
import { goJson, listOf, type PlainObject } from "./objects.ts";
import { printerOf } from "./output.ts";
import type { Session } from "./session.ts";
import { schemaOf, threeWayPatch } from "./three-way.ts";
import { dryRunOf, outcomeText, validateFlag, writeQuery, writingFlags } from "./writing.ts";

const flags = {
  ...manifestFlags, ...writingFlags, ...validateFlag,
  selector: text("Selector (label query) to filter on", { short: "l" }),
  serverSide: bool("If true, apply runs in the server instead of the client."),
  forceConflicts: bool("If true, server-side apply will force the changes against conflicts."),
  fieldManager: text("Name of the manager used to track field ownership.", { default: "kubectl-client-side-apply" }),
  force: bool("If true, immediately remove resources from API and bypass graceful deletion."),
  gracePeriod: number("Period of time in seconds given to the resource to terminate gracefully.", -1),
  timeout: duration("The length of time to wait before giving up on a delete", 0),
  overwrite: bool("Automatically resolve conflicts between the modified and live configuration", { default: true }),
  wait: bool("If true, wait for resources to be gone before returning."),
} as const;
type ApplyFlags = FlagValues<typeof flags>;

export const applyCommand = defineCommand({
  name: "apply", usage: "apply -f FILENAME [flags]", summary: "Apply a configuration to a resource by file name or stdin", flags,
  async run({ args, flags: given, given: isGiven, connect, terminal, usageError }) {
    if (args.length) throw usageError(`Unexpected args: [${args.join(" ")}]`);
    if (given.filename.length === 0) throw new KubectlError("must specify one of -f and -k");
    const dryRun = dryRunOf(given);
    if (given.forceConflicts && !given.serverSide) throw new KubectlError("--force-conflicts only works with --server-side");
    if (given.serverSide && dryRun === "client") throw new KubectlError("--dry-run=client doesn't work with --server-side (did you mean --dry-run=server instead?)");
    if (given.serverSide && !isGiven("fieldManager")) given.fieldManager = "kubectl";
    if (given.output) printerOf(given.output);
    const session = await connect();
    const manifests = await readManifests(given, terminal);
    if (manifests.length === 0) throw new KubectlError("no objects passed to apply");
    const results: PlainObject[] = [];
    await forEachDespiteErrors(manifests, async (manifest) => {
      const resolved = await resolveManifest(session, manifest);
      if (!manifest.object.metadata.name) throw new KubectlError(manifest.object.metadata.generateName ? `from ${manifest.object.metadata.generateName}: cannot use generate name with apply` : "resource name may not be empty");
      const { object, operation } = given.serverSide ? await applyOnServer(session, manifest, resolved, given) : await applyHere(session, manifest, resolved, given);
      if (object.metadata.deletionTimestamp) session.err(`Warning: Detected changes to resource ${object.metadata.name} which is currently being deleted.\n`);
      if (given.output && given.output !== "name") results.push({ ...object, apiVersion: manifest.object.apiVersion!, kind: manifest.object.kind! });
      else session.out(outcomeText({ ...object, apiVersion: manifest.object.apiVersion!, kind: manifest.object.kind! }, operation, given));
    });
    if (results.length) session.out(printerOf(given.output, given)(results.length === 1 ? results[0]! : listOf(results)));
  },
});

interface Applied { object: PlainObject; operation: "created" | "configured" | "unchanged" | "serverside-applied" }

async function applyOnServer(session: Session, { object }: Manifest, { resource, namespace }: Resolved, given: ApplyFlags): Promise<Applied> {
  try {
    const applied = await session.api.json<PlainObject>(pathOf(resource, namespace, object.metadata.name), {
      method: "PATCH", contentType: "application/apply-patch+yaml", body: goJson(object), query: { ...writeQuery(given), force: given.forceConflicts },
    });
    return { object: applied, operation: "serverside-applied" };
  } catch (error) {
    if (!isReason(error, "Conflict")) throw error;
    throw new KubectlError(`${error.message}
Please review the fields above--they currently have other managers. Here
are the ways you can resolve this warning:
* If you intend to manage all of these fields, please re-run the apply
  command with the \`--force-conflicts\` flag.
* If you do not intend to manage all of the fields, please edit your
  manifest to remove references to the fields that should keep their
  current managers.
* You may co-own fields by updating your manifest to match the existing
  value; in this case, you'll become the manager if the other manager(s)
  stop managing the field (remove it from their configuration).
See https://kubernetes.io/docs/reference/using-api/server-side-apply/#conflicts`);
  }
}

const attempts = 5;

async function applyHere(session: Session, { object, source }: Manifest, resolved: Resolved, given: ApplyFlags): Promise<Applied> {
  const { resource, namespace } = resolved, { name } = object.metadata;
  const modified = withLastApplied(object), path = pathOf(resource, namespace, name);
  const what = `Resource: "${apiVersionOf(resource)}, Resource=${resource.resource}", GroupVersionKind: "${apiVersionOf(resource)}, Kind=${resource.kind}"\nName: "${name}", Namespace: "${namespace ?? ""}"`;
  for (let attempt = 1; ; attempt++) {
    const current = await session.api.json<PlainObject>(path).catch((error: unknown) => {
      if (isNotFound(error)) return undefined;
      throw withSource(error, `retrieving current configuration of:\n${what}\nfrom server for:`, source);
    });
    if (!current) return { object: dryRunOf(given) === "client" ? modified : await create(session, modified, resolved, given, source), operation: "created" };
    const original = lastAppliedOf(current);
    if (original === undefined && attempt === 1) session.err(`Warning: resource ${resource.resource}/${name} is missing the ${lastAppliedAnnotation} annotation which is required by kubectl apply. kubectl apply should only be used on resources created declaratively by either kubectl create --save-config or kubectl apply. The missing annotation will be patched automatically.\n`);
    const type = schemaOf(object.apiVersion!, object.kind!);
    const patch = threeWayPatch(original ?? {}, modified as unknown as JsonObject, current as unknown as JsonObject, type);
    if (Object.keys(patch).length === 0) return { object: current, operation: "unchanged" };
    if (dryRunOf(given) === "client") return { object: current, operation: "configured" };
    try {
      const patched = await session.api.json<PlainObject>(path, { method: "PATCH", contentType: type ? "application/strategic-merge-patch+json" : "application/merge-patch+json", body: goJson(patch), query: writeQuery(given) });
      return { object: patched, operation: "configured" };
    } catch (error) {
      if (isReason(error, "Conflict") && attempt < attempts) continue;
      if (given.force && isReason(error, "Conflict", "Invalid")) return { object: await replaceByForce(session, path, modified, resolved, given, source), operation: "configured" };
      throw withSource(error, `applying patch:\n${goJson(patch)}\nto:\n${what}\nfor:`, source);
    }
  }
}

async function create(session: Session, object: PlainObject, { resource, namespace }: Resolved, given: ApplyFlags, source: string): Promise<PlainObject> {
  return session.api.json<PlainObject>(pathOf(resource, namespace), { method: "POST", body: goJson(withoutNulls(object)), query: writeQuery(given) }).catch((error: unknown) => {
    throw withSource(error, "creating", source);
  });
}

/** Deletes the object at once and makes it anew. */
async function replaceByForce(session: Session, path: string, object: PlainObject, resolved: Resolved, given: ApplyFlags, source: string): Promise<PlainObject> {
  await session.api.json(path, { method: "DELETE", body: { apiVersion: "v1", kind: "DeleteOptions", gracePeriodSeconds: Math.max(0, given.gracePeriod), propagationPolicy: "Background" } });
  const until = performance.now() + (given.timeout || 300_000);
  while (await session.api.json(path).then(() => true, (error: unknown) => !isNotFound(error))) {
    if (performance.now() > until) throw new KubectlError("timed out waiting for the condition");
    await Bun.sleep(1000);
  }
  return create(session, object, resolved, given, source);
}

function withoutNulls<T>(value: T): T {
  if (Array.isArray(value)) return value.map((item: unknown) => withoutNulls(item)) as T;
  if (!isObject(value)) return value;
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null).map(([key, inner]) => [key, withoutNulls(inner)])) as T;
}
