import { defineCommand } from "./command.ts";
import { pathOf } from "./discovery.ts";
import { forEachDespiteErrors, isNotFound, KubectlError, withSource } from "./errors.ts";
import { bool, duration, number } from "./flags.ts";
import { lastAppliedAnnotation, withLastApplied } from "./last-applied.ts";
import { manifestFlags, readManifests, resolveManifest } from "./manifests.ts";
import { goJson, type PlainObject } from "./objects.ts";
import { waitForObject } from "./wait.ts";
import { dryRunOf, fieldManagerFlag, outcomeText, validateFlag, writeQuery, writingFlags } from "./writing.ts";

export const replaceCommand = defineCommand({
  name: "replace", usage: "replace -f FILENAME [flags]", summary: "Replace a resource by file name or stdin",
  flags: { ...manifestFlags, ...writingFlags, ...validateFlag, ...fieldManagerFlag("kubectl-replace"), saveConfig: bool("If true, the configuration of current object will be saved in its annotation."), force: bool("If true, immediately remove resources from API and bypass graceful deletion."), gracePeriod: number("Period of time in seconds given to the resource to terminate gracefully.", -1), timeout: duration("The length of time to wait before giving up on a delete", 0) },
  async run({ flags: given, connect, terminal }) {
    if (given.filename.length === 0) throw new KubectlError("must specify one of -f and -k");
    const session = await connect();
    await forEachDespiteErrors(await readManifests(given, terminal), async (manifest) => {
      const { resource, namespace } = await resolveManifest(session, manifest);
      const { object, source } = manifest, name = object.metadata.name!;
      // What was applied before is kept up to date, so that the next apply knows.
      const sent = given.saveConfig || object.metadata.annotations?.[lastAppliedAnnotation] !== undefined ? withLastApplied(object) : object;
      const path = pathOf(resource, namespace, name), identity = { apiVersion: object.apiVersion!, kind: object.kind! };
      if (dryRunOf(given) === "client") return session.out(outcomeText(sent, "replaced", given));
      if (!given.force) {
        const replaced = await session.api.json<PlainObject>(path, { method: "PUT", body: goJson(sent), query: writeQuery(given) }).catch((error: unknown) => {
          throw withSource(error, "replacing", source);
        });
        return session.out(outcomeText({ ...replaced, ...identity }, "replaced", given));
      }
      const deleted = await session.api.json(path, { method: "DELETE", body: { apiVersion: "v1", kind: "DeleteOptions", propagationPolicy: "Background", gracePeriodSeconds: Math.max(0, given.gracePeriod) } }).then(() => true, (error: unknown) => {
        if (isNotFound(error)) return false;
        throw error;
      });
      if (deleted) session.out(outcomeText({ ...identity, metadata: { name } }, "deleted", { ...given, output: "" }));
      await waitForObject(session, { resource, namespace, name }, (state) => state === undefined, performance.now() + (given.timeout || 300_000));
      const created = await session.api.json<PlainObject>(pathOf(resource, namespace), { method: "POST", body: goJson(sent), query: writeQuery(given) });
      session.out(outcomeText({ ...created, ...identity }, "replaced", given));
    });
  },
});
