import { defineCommand, defineGroup, type Command } from "./command.ts";
import { clusterrole, clusterrolebinding, role, rolebinding } from "./create/access.ts";
import { configmap, dockerSecret, genericSecret, tlsSecret } from "./create/configuration.ts";
import type { Generator } from "./create/generator.ts";
import { namespace, poddisruptionbudget, priorityclass, quota, serviceaccount } from "./create/policies.ts";
import { tokenCommand } from "./create/token.ts";
import { cronjob, deployment, job, services } from "./create/workloads.ts";
import { pathOf } from "./discovery.ts";
import { forEachDespiteErrors, KubectlError, ServerError, withSource } from "./errors.ts";
import { bool, text, type FlagValues } from "./flags.ts";
import { withLastApplied } from "./last-applied.ts";
import { manifestFlags, readManifests, resolveManifest, textOf } from "./manifests.ts";
import { goJson, type PlainObject } from "./objects.ts";
import { dryRunOf, fieldManagerFlag, outcomeText, validateFlag, writeQuery, writingFlags } from "./writing.ts";

const flags = {
  ...manifestFlags, ...writingFlags, ...validateFlag, ...fieldManagerFlag("kubectl-create"),
  saveConfig: bool("If true, the configuration of current object will be saved in its annotation."),
  raw: text("Raw URI to POST to the server."),
} as const;

const fromManifests = defineCommand({
  name: "create", usage: "create -f FILENAME [flags]", summary: "Create a resource from a file or from stdin", flags,
  async run({ args, flags: given, connect, terminal, usageError }) {
    if (args.length) throw usageError(`Unexpected args: [${args.join(" ")}]`);
    if (given.filename.length === 0) throw new KubectlError("must specify one of -f and -k");
    const session = await connect();
    if (given.raw) {
      const body = given.filename[0] === "-" ? await textOf(terminal.stdin) : await Bun.file(given.filename[0]!).text();
      return session.out(await session.api.text(given.raw, { method: "POST", body }));
    }
    const manifests = await readManifests(given, terminal);
    if (manifests.length === 0) throw new KubectlError("no objects passed to create");
    await forEachDespiteErrors(manifests, async (manifest) => {
      const { resource, namespace } = await resolveManifest(session, manifest);
      const object = given.saveConfig ? withLastApplied(manifest.object) : manifest.object;
      const created = dryRunOf(given) === "client" ? object : await session.api.json<PlainObject>(pathOf(resource, namespace), { method: "POST", body: goJson(object), query: writeQuery(given) }).catch((error: unknown) => {
        throw withSource(error, "creating", manifest.source);
      });
      session.out(outcomeText({ ...created, apiVersion: object.apiVersion!, kind: object.kind! }, "created", given));
    });
  },
});

const generatorFlags = { ...writingFlags, ...validateFlag, ...fieldManagerFlag("kubectl-create"), saveConfig: flags.saveConfig } as const;

const commandOf = (generator: Generator): Command => defineCommand({
  name: generator.name, aliases: generator.aliases ?? [], usage: generator.usage, summary: generator.summary, flags: { ...generator.flags, ...generatorFlags },
  async run({ args, dash, flags: all, given: isGiven, connect, usageError }) {
    const given = all as unknown as FlagValues<typeof generatorFlags>;
    const [name, ...rest] = args.slice(0, dash);
    if (!name) throw usageError("exactly one NAME is required, got 0");
    const session = await connect();
    const object = await generator.make({ name, args: rest, command: dash === undefined ? [] : args.slice(dash), flags: all, given: isGiven, session });
    const { resource, namespace } = await resolveManifest(session, { object, source: "" });
    // Only a namespace that was asked for is written down.
    if (dryRunOf(given) === "client" && !session.namespaceGiven) delete object.metadata.namespace;
    const sent = given.saveConfig ? withLastApplied(object) : object;
    const created = dryRunOf(given) === "client" ? sent : await session.api.json<PlainObject>(pathOf(resource, namespace), { method: "POST", body: goJson(sent), query: writeQuery(given) }).catch((error: unknown) => {
      throw generator.failure && error instanceof ServerError ? new KubectlError(generator.failure + error.message) : error;
    });
    session.out(outcomeText({ ...created, apiVersion: object.apiVersion!, kind: object.kind! }, "created", given));
  },
});

export const createCommand: Command = {
  ...fromManifests,
  subcommands: [
    namespace, configmap, serviceaccount, deployment, job, cronjob, role, clusterrole, rolebinding, clusterrolebinding, quota, priorityclass, poddisruptionbudget,
  ].map(commandOf).concat(
    tokenCommand,
    defineGroup({ name: "secret", summary: "Create a secret using a specified subcommand", subcommands: [genericSecret, tlsSecret, dockerSecret].map(commandOf) }),
    defineGroup({ name: "service", aliases: ["svc"], summary: "Create a service using a specified subcommand", subcommands: services.map(commandOf) }),
  ),
};
