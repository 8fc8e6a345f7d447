import { defineCommand, type Command } from "./command.ts";
import { forEachDespiteErrors, KubectlError } from "./errors.ts";
import { bool, text } from "./flags.ts";
import { typeName, type PlainObject } from "./objects.ts";
import { selectedFlags, selectObjects } from "./selected.ts";
import { dryRunOf, fieldManagerFlag, outcomeText, writeQuery, writingFlags } from "./writing.ts";

const flags = {
  ...selectedFlags, ...writingFlags,
  overwrite: bool("If true, allow values to be overwritten, otherwise reject updates that overwrite existing ones."),
  list: bool("If true, display the values for a given resource."),
  resourceVersion: text("If non-empty, the update will only succeed if this is the current resource-version for the object."),
} as const;

interface Kind {
  field: "labels" | "annotations";
  /** `label`, `annotation`. */
  noun: string;
  /** That there was nothing to remove is told. */
  tellsMissing: boolean;
  refused(taken: { key: string; value: string }[]): string;
  outcome(change: { changed: boolean; onlyRemoved: boolean }): string;
}

/** `key=value` sets, `key-` removes. What stands before the first such argument names objects. */
export function parseChanges(args: readonly string[], { noun }: Pick<Kind, "noun">): { targets: string[]; changes: Map<string, string | null> } {
  const first = args.findIndex((arg, index) => index > 0 && (arg.includes("=") || (arg.endsWith("-") && arg.length > 1)) || (index === 0 && arg.includes("=")));
  const targets = args.slice(0, first < 0 ? undefined : first);
  const changes = new Map<string, string | null>();
  for (const arg of first < 0 ? [] : args.slice(first)) {
    const equals = arg.indexOf("=");
    if (equals < 0 && !arg.endsWith("-")) throw new KubectlError(`all resources must be specified before ${noun} changes: ${arg}`);
    const key = equals < 0 ? arg.slice(0, -1) : arg.slice(0, equals);
    if (changes.has(key) && (changes.get(key) === null) !== equals < 0) throw new KubectlError(`can not both modify and remove a ${noun} in the same command`);
    changes.set(key, equals < 0 ? null : arg.slice(equals + 1));
  }
  return { targets, changes };
}

const commandOf = (name: string, summary: string, kind: Kind): Command => defineCommand({
  name, usage: `${name} [--overwrite] (-f FILENAME | TYPE NAME) KEY_1=VAL_1 ... KEY_N=VAL_N [--resource-version=version] [flags]`, summary, flags: { ...flags, ...fieldManagerFlag(`kubectl-${name}`) },
  async run({ args, flags: given, connect, usageError }) {
    const { targets, changes } = parseChanges(args, kind);
    if (targets.length === 0 && given.filename.length === 0) throw usageError("one or more resources must be specified as <resource> <name> or <resource>/<name>");
    if (changes.size === 0 && !given.list) throw new KubectlError(`at least one ${kind.noun} update is required`);
    const session = await connect();
    const selected = await selectObjects(session, targets, given);
    if (selected.length > 1 && given.resourceVersion) throw new KubectlError("--resource-version may only be used with a single resource");
    await forEachDespiteErrors(selected, async ({ object, path }) => {
      const present = object.metadata[kind.field] ?? {};
      if (given.list) {
        if (selected.length > 1) session.out(`Listing ${kind.field} for ${object.kind}.${typeName(object).split(".").slice(1).join(".")}/${object.metadata.name}:\n`);
        return session.out(Object.entries(present).sort(([a], [b]) => (a < b ? -1 : 1)).map(([key, value]) => `${selected.length > 1 ? " " : ""}${key}=${value}\n`).join(""));
      }
      const taken = [...changes].filter(([key, value]) => value !== null && key in present && present[key] !== value).map(([key]) => ({ key, value: present[key]! }));
      if (taken.length && !given.overwrite) throw new KubectlError(kind.refused(taken));
      const changed = [...changes].some(([key, value]) => (value === null ? key in present : present[key] !== value));
      if (kind.tellsMissing) for (const [key, value] of changes) if (value === null && !(key in present)) session.out(`${kind.noun} ${JSON.stringify(key)} not found.\n`);
      const body = { metadata: { [kind.field]: Object.fromEntries(changes), ...(given.resourceVersion ? { resourceVersion: given.resourceVersion } : {}) } };
      const result = dryRunOf(given) === "client" || !changed ? withChanges(object, kind.field, changes) : await session.api.json<PlainObject>(path, { method: "PATCH", contentType: "application/merge-patch+json", body, query: writeQuery(given) });
      session.out(outcomeText({ ...result, apiVersion: object.apiVersion!, kind: object.kind! }, kind.outcome({ changed, onlyRemoved: [...changes.values()].every((value) => value === null) }), given));
    });
  },
});

function withChanges(object: PlainObject, field: Kind["field"], changes: ReadonlyMap<string, string | null>): PlainObject {
  const values = { ...object.metadata[field], ...Object.fromEntries(changes) };
  return { ...object, metadata: { ...object.metadata, [field]: Object.fromEntries(Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== null)) } };
}

export const labelCommand = commandOf("label", "Update the labels on a resource", {
  field: "labels", noun: "label", tellsMissing: true,
  refused: (taken) => taken.map(({ key, value }) => `'${key}' already has a value (${value}), and --overwrite is false`).join("\n"),
  outcome: ({ changed, onlyRemoved }) => (!changed ? "not labeled" : onlyRemoved ? "unlabeled" : "labeled"),
});

export const annotateCommand = commandOf("annotate", "Update the annotations on a resource", {
  field: "annotations", noun: "annotation", tellsMissing: false,
  refused: (taken) => `--overwrite is false but found the following declared annotation(s): ${taken.map(({ key, value }) => `'${key}' already has a value (${value})`).join("; ")}`,
  outcome: () => "annotated",
});
