import type { Frozen, KubeObject } from "../../apimachinery/meta.ts";
import { apiVersionOf, type AnyResource } from "../../apimachinery/resource.ts";
import { formatTime } from "../../apimachinery/time.ts";
import { compareKubeVersions } from "../../apimachinery/version-priority.ts";
import { customresourcedefinitions } from "../../apis/builtins.ts";
import type { GroupResource } from "../../apis/generated/meta/v1.ts";
import type { StorageVersionMigration, StorageVersionMigrationStatus } from "../../apis/generated/storagemigration/v1beta1.ts";
import { groupResourceText, storageversionmigrations } from "../../apis/storagemigration/storageversionmigration.ts";
import { defineController, watchOf, type Controller, type ReconcileContext, type ReconcileResult, type ServedKinds } from "../../client/controller.ts";
import { finished, migratedDefinition, migratingDefinition, nextStep, saysAlready, withCondition, type DefinitionStatus } from "./plan.ts";
import { rewrite } from "./rewrite.ts";

type Migration = Frozen<StorageVersionMigration>;

/** How long a resource may still become known after the migration was made, and how often that is asked, in milliseconds. */
const patience = 60_000, askAgain = 5_000;
const neededVerbs = ["update", "patch", "list"] as const;
const manager = "storage-version-migrator-controller", definitionManager = "migration-runner-controller";

/**
 * Rewrites all objects of a resource in its storage version, as StorageVersionMigrations ask. Works on one resource at a time, so that a key
 * is `<resource>.<group>`; objects written since a migration began are left alone, and so a migration that was interrupted goes on.
 * Source: kubernetes pkg/controller/storageversionmigrator, KEP-4192. Unlike there, what failed leaves a definition's storedVersions alone.
 */
export function storageVersionMigrator({ kinds }: { kinds: ServedKinds }): Controller {
  return defineController<StorageVersionMigration>({
    name: manager, workers: 5, reads: [customresourcedefinitions],
    watches: [watchOf(storageversionmigrations, (current, old) => [groupResourceText((current ?? old)!.spec.resource)])],
    writes: [
      { apiGroups: ["*"], resources: ["*"], verbs: ["list", "create", "patch"] },
      { apiGroups: ["apiextensions.k8s.io"], resources: ["customresourcedefinitions/status"], verbs: ["patch"] },
      { apiGroups: ["storagemigration.k8s.io"], resources: ["storageversionmigrations/status"], verbs: ["update"] },
    ],
    async reconcile(key, context) {
      const migrations = context.lister(storageversionmigrations).list().filter(({ spec }) => groupResourceText(spec.resource) === key);
      const step = nextStep(migrations);
      if (!step) return;
      const { migration } = step, { name = "" } = migration.metadata, now = formatTime(context.now());
      if (step.action === "start") {
        await tellDefinition(context, kinds, key, (definition) => migratingDefinition(definition, name, now));
        return writeStatus(context, migration, withCondition(migration, "Running", "The migration is running", now));
      }
      if (step.action === "finish") {
        const succeeded = migration.status!.conditions!.some(({ type, status }) => type === "Succeeded" && status === "True");
        await tellDefinition(context, kinds, key, (definition) => migratedDefinition(definition, succeeded, now));
        return writeStatus(context, migration, finished(migration, now));
      }
      return step.action === "note" ? note(context, kinds, migration) : migrate(context, kinds, migration);
    },
  });
}

/** From here on, what is older than this revision is to be rewritten. */
async function note(context: ReconcileContext, kinds: ServedKinds, migration: Migration): Promise<ReconcileResult> {
  const card = cardOf(kinds, migration.spec.resource);
  if (!card) return isYoung(context, migration) ? { requeueAfter: askAgain } : fail(context, migration, "resource does not exist in discovery");
  if (!neededVerbs.every((verb) => card.verbs.includes(verb))) {
    return fail(context, migration, `resource ${JSON.stringify(`${card.group}/${card.version}, Resource=${card.resource}`)} does not support discovery operations: [${neededVerbs.join(" ")}]`);
  }
  await writeStatus(context, migration, { ...structuredClone(migration.status) as StorageVersionMigrationStatus, resourceVersion: context.lister(card).resourceVersion });
}

async function migrate(context: ReconcileContext, kinds: ServedKinds, migration: Migration): Promise<ReconcileResult> {
  const card = cardOf(kinds, migration.spec.resource);
  if (!card) return isYoung(context, migration) ? { requeueAfter: askAgain } : fail(context, migration, unhandled("unable to obtain GVR from discovery"));
  const failure = await rewrite({ card: () => cardOf(kinds, migration.spec.resource), objects: context.lister<KubeObject>(card).list(), upTo: migration.status!.resourceVersion!, manager, client: context.client, signal: context.signal });
  if (context.signal.aborted) return;
  if (failure) return fail(context, migration, unhandled(failure));
  await writeStatus(context, migration, withCondition(migration, "Succeeded", "", formatTime(context.now())));
}

const unhandled = (error: string): string => `migration encountered unhandled error: ${error}`;

const fail = (context: ReconcileContext, migration: Migration, message: string): Promise<void> =>
  writeStatus(context, migration, withCondition(migration, "Failed", message, formatTime(context.now())));

async function writeStatus({ client }: ReconcileContext, migration: Migration, status: StorageVersionMigrationStatus): Promise<void> {
  await client.update(storageversionmigrations, { ...structuredClone(migration) as StorageVersionMigration, status }, { subresource: "status" });
}

/** Also when the clock was set back since, which makes nothing young for ever. */
const isYoung = ({ now }: ReconcileContext, { metadata }: Migration): boolean => Math.abs(now() - Date.parse(metadata.creationTimestamp ?? "")) < patience;

/** The resource in the version that clients prefer. */
function cardOf(kinds: ServedKinds, { group = "", resource }: Frozen<GroupResource>): AnyResource | undefined {
  return kinds.cards.filter((card) => card.group === group && card.resource === resource).toSorted((a, b) => compareKubeVersions(a.version, b.version))[0];
}

/** Says in the status of the definition of this name, if there is one, what is done to its objects. */
async function tellDefinition({ client, lister }: ReconcileContext, kinds: ServedKinds, name: string, status: (definition: Parameters<typeof migratingDefinition>[0]) => DefinitionStatus): Promise<void> {
  const definition = lister(customresourcedefinitions).get(name);
  if (!definition) return;
  const wanted = status(definition);
  if (saysAlready(definition, wanted)) return;
  // The card that is served: it reads and writes definitions as they are stored.
  const card = cardOf(kinds, customresourcedefinitions) ?? customresourcedefinitions;
  const body = { apiVersion: apiVersionOf(card), kind: card.kind, metadata: { name, resourceVersion: definition.metadata.resourceVersion }, status: wanted };
  await client.patch(card, { name }, { type: "application/apply-patch+yaml", body, force: true }, { subresource: "status", fieldManager: definitionManager });
}
