import type { Condition, Frozen } from "../../apimachinery/meta.ts";
import { hasCondition, type MigrationConditionType } from "../../apis/storagemigration/storageversionmigration.ts";
import type { CustomResourceDefinition, CustomResourceDefinitionCondition } from "../../apis/generated/apiextensions/v1.ts";
import type { StorageVersionMigration, StorageVersionMigrationStatus } from "../../apis/generated/storagemigration/v1beta1.ts";

type Migration = Frozen<StorageVersionMigration>;

/**
 * What comes next for the migrations of one resource, of which one runs at a time, the oldest first: `start` it, `note` the revision up to
 * which objects are to be rewritten, `migrate` them, and `finish` what has succeeded or failed. Each step is a write that leads to the next.
 * Source: kubernetes pkg/controller/storageversionmigrator.
 */
export interface Step {
  action: "start" | "note" | "migrate" | "finish";
  migration: Migration;
}

export function nextStep(migrations: readonly Migration[]): Step | undefined {
  const running = migrations.filter((migration) => hasCondition(migration, "Running"));
  const ended = running.find(isEnded);
  if (ended) return { action: "finish", migration: ended };
  if (running[0]) return { action: running[0].status?.resourceVersion ? "migrate" : "note", migration: running[0] };
  const oldest = migrations.filter((migration) => !isEnded(migration)).toSorted(byAge)[0];
  return oldest && { action: "start", migration: oldest };
}

const isEnded = (migration: Migration): boolean => hasCondition(migration, "Succeeded") || hasCondition(migration, "Failed");

function byAge({ metadata: a }: Migration, { metadata: b }: Migration): number {
  const order = (a.creationTimestamp ?? "").localeCompare(b.creationTimestamp ?? "");
  return order || (a.name! < b.name! ? -1 : 1);
}

const reasons: Record<MigrationConditionType, string> = { Running: "MigrationRunning", Succeeded: "StorageVersionMigrationSucceeded", Failed: "StorageVersionMigrationFailed" };

/** The status with one more condition, which is true from now on. */
export function withCondition({ status }: Migration, type: MigrationConditionType, message: string, now: string): StorageVersionMigrationStatus {
  const condition: Condition = { type, status: "True", lastTransitionTime: now, reason: reasons[type], message };
  return { ...status, conditions: [...(status?.conditions ?? []) as Condition[], condition] };
}

/** The status of one that has ended, and runs no more. */
export function finished({ metadata: { generation }, status }: Migration, now: string): StorageVersionMigrationStatus {
  const conditions = ((status?.conditions ?? []) as Condition[]).map((condition) =>
    (condition.type === "Running" ? { type: "Running", status: "False", ...(generation ? { observedGeneration: generation } : {}), lastTransitionTime: now, reason: "MigrationCompleted", message: "Migration completed" } as Condition : condition));
  return { ...status, conditions };
}

/** What a definition's status says of a migration of its resources; applied by one manager. */
export interface DefinitionStatus {
  conditions: [CustomResourceDefinitionCondition];
  storedVersions?: string[];
}

type Definition = Frozen<CustomResourceDefinition>;
const isMigrating = ({ type }: Frozen<CustomResourceDefinitionCondition>): boolean => type === "StorageMigrating";

export const migratingDefinition = ({ metadata: { generation } }: Definition, migration: string, now: string): DefinitionStatus =>
  ({ conditions: [{ type: "StorageMigrating", status: "True", reason: "MigrationRunning", message: `Migration ${migration} is running`, lastTransitionTime: now, ...(generation ? { observedGeneration: generation } : {}) }] });

/** A definition that stayed as it was while its objects were rewritten has no objects in other versions than its storage version. */
export function migratedDefinition({ metadata: { generation }, spec, status }: Definition, succeeded: boolean, now: string): DefinitionStatus {
  const unchanged = status?.conditions?.find(isMigrating)?.observedGeneration === generation;
  const detail = unchanged ? "and the stored versions have been updated" : "but the stored versions have not been updated due to a generation mismatch";
  const [reason, message] = succeeded ? ["MigrationSucceeded", `The migration has succeeded ${detail}`] : ["MigrationFailed", "The migration has failed"];
  const stored = (spec.versions ?? []).find(({ storage }) => storage)?.name;
  return {
    conditions: [{ type: "StorageMigrating", status: "False", reason: reason!, message: message!, lastTransitionTime: now, ...(generation ? { observedGeneration: generation } : {}) }],
    ...(succeeded && unchanged && stored ? { storedVersions: [stored] } : {}),
  };
}

/** Whether all of `wanted` is there but for the time, as when a controller ended between this write and the next. */
export function saysAlready({ status }: Definition, { conditions: [wanted], storedVersions = [] }: DefinitionStatus): boolean {
  const { lastTransitionTime: _, ...present } = status?.conditions?.find(isMigrating) ?? { type: "" };
  const { lastTransitionTime: __, ...condition } = wanted;
  return Bun.deepEquals(present, condition) && (storedVersions.length === 0 || Bun.deepEquals(status?.storedVersions, storedVersions));
}
