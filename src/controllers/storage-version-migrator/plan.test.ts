import { describe, expect, test } from "bun:test";
import type { CustomResourceDefinition } from "../../apis/generated/apiextensions/v1.ts";
import type { StorageVersionMigration } from "../../apis/generated/storagemigration/v1beta1.ts";
import { finished, migratedDefinition, migratingDefinition, nextStep, saysAlready, withCondition } from "./plan.ts";

const now = "2026-01-01T00:00:10Z", earlier = "2026-01-01T00:00:00Z";

/** `R` runs, `r` ran, `S` and `F` have ended; a number is the revision noted. */
function migration(name: string, marks = "", creationTimestamp = earlier): StorageVersionMigration {
  const types = { R: ["Running", "True"], r: ["Running", "False"], S: ["Succeeded", "True"], F: ["Failed", "True"] } as const;
  const conditions = Object.entries(types).filter(([mark]) => marks.includes(mark)).map(([, [type, status]]) => ({ type, status, reason: "Because", message: "", lastTransitionTime: earlier }));
  const resourceVersion = /\d+/.exec(marks)?.[0];
  return { metadata: { name, creationTimestamp }, spec: { resource: { group: "", resource: "secrets" } }, status: { conditions, ...(resourceVersion ? { resourceVersion } : {}) } };
}

describe("the next step", () => {
  test.each<[string, StorageVersionMigration[], [string, string] | undefined]>([
    ["nothing to do", [], undefined],
    ["a new one", [migration("a")], ["start", "a"]],
    ["the oldest of new ones", [migration("a", "", now), migration("b", "", earlier)], ["start", "b"]],
    ["of equal age, by name", [migration("b"), migration("a")], ["start", "a"]],
    ["one runs: the others wait", [migration("a"), migration("b", "R", now)], ["note", "b"]],
    ["with a revision it migrates", [migration("a", "R42"), migration("b")], ["migrate", "a"]],
    ["succeeded, it is finished before the next starts", [migration("a", "R42S"), migration("b")], ["finish", "a"]],
    ["so is what failed", [migration("a", "RF"), migration("b")], ["finish", "a"]],
    ["after that it is the next one's turn", [migration("a", "r42S"), migration("b")], ["start", "b"]],
    ["all have ended", [migration("a", "r42S"), migration("b", "rF")], undefined],
  ])("%s", (_, migrations, expected) => {
    const step = nextStep(migrations);
    expect(step && [step.action, step.migration.metadata.name!]).toEqual(expected as [string, string]);
  });
});

test("conditions", () => {
  expect(withCondition(migration("a"), "Running", "The migration is running", now)).toEqual({ conditions: [{ type: "Running", status: "True", reason: "MigrationRunning", message: "The migration is running", lastTransitionTime: now }] });
  expect(withCondition(migration("a", "R7"), "Failed", "so it is", now).conditions).toContainEqual({ type: "Failed", status: "True", reason: "StorageVersionMigrationFailed", message: "so it is", lastTransitionTime: now });
  expect(finished(migration("a", "R7S"), now)).toEqual({
    resourceVersion: "7",
    conditions: [{ type: "Running", status: "False", reason: "MigrationCompleted", message: "Migration completed", lastTransitionTime: now }, { type: "Succeeded", status: "True", reason: "Because", message: "", lastTransitionTime: earlier }],
  });
});

describe("a definition", () => {
  const definition = (generation: number, observed?: number): CustomResourceDefinition => ({
    metadata: { name: "things.example.com", generation },
    spec: { group: "example.com", scope: "Namespaced", names: { plural: "things", kind: "Thing" }, versions: [{ name: "v1", served: true, storage: false }, { name: "v2", served: true, storage: true }] },
    status: { acceptedNames: { plural: "things", kind: "Thing" }, storedVersions: ["v1", "v2"], conditions: observed ? [{ type: "StorageMigrating", status: "True", observedGeneration: observed }] : [] },
  });

  test("is told of the migration", () => expect(migratingDefinition(definition(3), "move", now)).toEqual({
    conditions: [{ type: "StorageMigrating", status: "True", reason: "MigrationRunning", message: "Migration move is running", lastTransitionTime: now, observedGeneration: 3 }],
  }));

  test.each([
    ["unchanged since", definition(3, 3), true, "The migration has succeeded and the stored versions have been updated", ["v2"]],
    ["changed since", definition(4, 3), true, "The migration has succeeded but the stored versions have not been updated due to a generation mismatch", undefined],
    ["never told", definition(3), true, "The migration has succeeded but the stored versions have not been updated due to a generation mismatch", undefined],
    ["failed", definition(3, 3), false, "The migration has failed", undefined],
  ] as const)("and of its end: %s", (_, object, succeeded, message, stored) => {
    const status = migratedDefinition(object, succeeded, now);
    expect([status.conditions[0].status, status.conditions[0].message, status.storedVersions]).toEqual(["False", message, stored as never]);
  });

  test("isn't told twice", () => {
    const told = definition(3), wanted = migratingDefinition(told, "move", earlier);
    expect(saysAlready(told, wanted)).toBe(false);
    told.status!.conditions = wanted.conditions;
    expect(saysAlready(told, migratingDefinition(told, "move", now))).toBe(true);
    expect(saysAlready(told, migratingDefinition(told, "another", now))).toBe(false);
    expect(saysAlready(told, { ...wanted, storedVersions: ["v2"] })).toBe(false);
  });
});
