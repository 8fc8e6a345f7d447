import { parseJsonPath } from "../apimachinery/jsonpath.ts";
import type { Api } from "./api.ts";
import { defineCommand, type Call } from "./command.ts";
import { apiVersionOf, pathOf, type Resource } from "./discovery.ts";
import { forEachDespiteErrors, isNotFound, isReason, KubectlError, ServerError, throwAll } from "./errors.ts";
import { bool, list, number, text, type FlagValues } from "./flags.ts";
import { manifestFlags, readManifests, resolveManifest } from "./manifests.ts";
import { itemsOf, listOf, typeName, type PlainObject } from "./objects.ts";
import { printerOf } from "./output.ts";
import type { Session } from "./session.ts";
import { aligned, columnWidths, tableLines, tableOf, type Table, type TableLook } from "./table.ts";
import { pathOfTarget, selectionFlags, targetsOf, type Selection, type Target } from "./targets.ts";
import { watchEvents } from "./watch.ts";

const flags = {
  ...selectionFlags, ...manifestFlags,
  output: text("Output format: json, yaml, name, wide, jsonpath=..., custom-columns=...", { short: "o" }),
  watch: bool("After listing/getting the requested object, watch for changes.", { short: "w" }),
  watchOnly: bool("Watch for changes to the requested object(s), without listing/getting first."),
  outputWatchEvents: bool("Output watch event objects when --watch or --watch-only is used."),
  ignoreNotFound: bool("If set to true, suppresses NotFound error for specific objects that do not exist."),
  noHeaders: bool("When using the default or custom-column output format, don't print headers"),
  showLabels: bool("When printing, show all labels as the last column"),
  labelColumns: list("Comma separated list of labels that are going to be presented as columns.", { short: "L" }),
  showManagedFields: bool("If true, keep the managedFields when printing objects in JSON or YAML format."),
  showKind: bool("If present, list the resource type for the requested object(s)."),
  sortBy: text("If non-empty, sort list types using this field specification."),
  chunkSize: number("Return large lists in chunks rather than all at once. Pass 0 to disable.", 500),
  subresource: text("If specified, gets the subresource of the requested object."),
  raw: text("Raw URI to request from the server."),
} as const;
type GetFlags = FlagValues<typeof flags>;

const asTable = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

export const getCommand = defineCommand({
  name: "get", usage: "get (TYPE[.VERSION][.GROUP] [NAME | -l label] | TYPE[.VERSION][.GROUP]/NAME ...) [flags]", summary: "Display one or many resources", flags,
  async run(call) {
    const { args, flags: given, connect, terminal, usageError } = call;
    if (given.raw) {
      const session = await connect();
      return session.out(await session.api.text(given.raw));
    }
    const format = given.output === "wide" ? "" : given.output;
    const printer = format ? printerOf(format, { showManagedFields: given.showManagedFields, noHeaders: given.noHeaders, also: ["wide"] }) : undefined;
    if (args.length === 0 && given.filename.length === 0) {
      terminal.err('You must specify the type of resource to get. Use "kubectl api-resources" for a complete list of supported resources.\n\n');
      throw new KubectlError(`${usageError("Required resource not specified.\nUse \"kubectl explain <resource>\" for a detailed description of that resource (e.g. kubectl explain pods).").message}`);
    }
    const session = await connect();
    const targets = await wanted(call, session);
    if (given.watch || given.watchOnly) return watch(session, targets, given);
    if (!printer) return printTables(session, targets, given);
    const { objects, errors } = await read(session, targets, given);
    const single = objects.length === 1 && targets.length === 1 && targets[0]!.name;
    if (!(objects.length === 0 && (errors.length > 0 || given.ignoreNotFound && targets.every(({ name }) => name)))) session.out(printer(single ? objects[0]! : listOf(sortedBy(objects, given.sortBy))));
    throwAll(errors);
  },
});

async function wanted({ args, flags: given, terminal }: Call<typeof flags>, session: Session): Promise<PlacedTarget[]> {
  if (given.filename.length === 0) return targetsOf(session.discovery, args);
  const manifests = await readManifests(given, terminal);
  return Promise.all(manifests.map(async (manifest) => {
    const { resource, namespace } = await resolveManifest(session, manifest);
    return { resource, name: manifest.object.metadata.name, namespace };
  }));
}

/** A target of a manifest, which may be in another namespace than the session works in. */
interface PlacedTarget extends Target { namespace?: string }

const pathFor = (session: Session, target: PlacedTarget, given: Selection): string => pathOfTarget(target, target.namespace ? { namespace: target.namespace } : session, given);

interface Found { objects: PlainObject[]; errors: unknown[] }

async function read(session: Session, targets: readonly PlacedTarget[], given: GetFlags): Promise<Found> {
  const objects: PlainObject[] = [], errors: unknown[] = [];
  await forEachDespiteErrors(targets, async (target) => {
    try {
      const path = pathFor(session, target, given);
      if (target.name) objects.push(await session.api.json<PlainObject>(given.subresource ? `${path}/${given.subresource}` : path));
      else objects.push(...await readAll(session.api, target.resource, path, given));
    } catch (error) {
      if (!(given.ignoreNotFound && isNotFound(error))) throw error;
    }
  }).catch((error: unknown) => errors.push(error));
  return { objects, errors };
}

/** All of a type, in pieces. */
export async function readAll(api: Api, resource: Resource, path: string, { selector, fieldSelector, chunkSize = 500 }: Selection & { chunkSize?: number } = {}): Promise<PlainObject[]> {
  const items: PlainObject[] = [];
  let next: string | undefined;
  do {
    const page: PlainObject & { metadata: { continue?: string } } = await api.json<PlainObject & { metadata: { continue?: string } }>(path, { query: { labelSelector: selector, fieldSelector, limit: chunkSize || undefined, continue: next } }).catch(aboutList(resource, { selector, fieldSelector }));
    for (const item of itemsOf(page)) items.push({ ...item, apiVersion: apiVersionOf(resource), kind: resource.kind });
    next = page.metadata.continue;
  } while (next);
  return items;
}

/** Says of a refused list what was looked for. Source: k8s.io/cli-runtime/pkg/resource Selector.Visit. */
const aboutList = ({ group, version, resource }: Pick<Resource, "group" | "version" | "resource">, { selector, fieldSelector }: Selection) => (error: unknown): never => {
  if (!isReason(error, "BadRequest", "NotFound")) throw error;
  const what = JSON.stringify(`${group}/${version}, Resource=${resource}`);
  const how = selector || fieldSelector ? `find ${what} that match label selector ${JSON.stringify(selector ?? "")}, field selector ${JSON.stringify(fieldSelector ?? "")}` : `list ${what}`;
  throw new ServerError({ ...error.status, message: `Unable to ${how}: ${error.message}` });
};

/** Several types are printed one below the other, objects of one type that were named in a row as one table. */
async function printTables(session: Session, targets: readonly PlacedTarget[], given: GetFlags): Promise<void> {
  const blocks: { resource: Resource; table: Table }[] = [];
  const errors: unknown[] = [];
  await forEachDespiteErrors(targets, async (target) => {
    try {
      const table = await readTable(session, target, given);
      const last = blocks.at(-1);
      if (last?.resource === target.resource) last.table.rows = [...last.table.rows ?? [], ...table.rows ?? []];
      else blocks.push({ resource: target.resource, table });
    } catch (error) {
      if (!(given.ignoreNotFound && isNotFound(error))) throw error;
    }
  }).catch((error: unknown) => errors.push(error));
  const several = new Set(blocks.map(({ resource }) => resource)).size > 1 || given.showKind;
  const filled = blocks.filter(({ table }) => table.rows?.length);
  for (const [index, { resource, table }] of filled.entries()) {
    if (given.sortBy) table.rows = sortedBy(table.rows!.map((row) => ({ ...row, metadata: {} })), given.sortBy, "object");
    session.out((index > 0 && !given.noHeaders ? "\n" : "") + aligned(tableLines(table, lookOf(given, resource, several))));
  }
  if (filled.length === 0 && errors.length === 0 && !given.ignoreNotFound) {
    session.err(!given.allNamespaces && targets.every(({ resource }) => resource.namespaced) ? `No resources found in ${session.namespace} namespace.\n` : "No resources found\n");
  }
  throwAll(errors);
}

const lookOf = (given: GetFlags, resource: Resource, withKind: boolean): TableLook => ({
  wide: given.output === "wide", headers: !given.noHeaders, namespace: given.allNamespaces && resource.namespaced, showLabels: given.showLabels, labelColumns: given.labelColumns,
  ...(withKind ? { prefix: `${typeName({ apiVersion: apiVersionOf(resource), kind: resource.kind })}/` } : {}),
});

async function readTable(session: Session, target: PlacedTarget, given: GetFlags): Promise<Table> {
  const path = pathFor(session, target, given);
  const query = { includeObject: given.sortBy ? "Object" : undefined };
  if (target.name) return tableOf(await session.api.json<Table>(given.subresource ? `${path}/${given.subresource}` : path, { accept: asTable, query }));
  let table: Table | undefined, next: string | undefined;
  do {
    const page: Table = tableOf(await session.api.json<Table>(path, { accept: asTable, query: { ...query, labelSelector: given.selector, fieldSelector: given.fieldSelector, limit: given.chunkSize || undefined, continue: next } }).catch(aboutList(target.resource, given)));
    table = { ...page, rows: [...table?.rows ?? [], ...page.rows ?? []] };
    next = page.metadata?.continue;
  } while (next);
  return table;
}

/** By what a JSONPath finds in each; numbers as numbers, the rest as text. `inside` is where the object lies. */
function sortedBy<T>(values: readonly T[], path: string, inside?: keyof T): T[] {
  if (!path) return [...values];
  const find = parseJsonPath(path.replace(/^\{(.*)\}$/, "$1").replace(/^(?![.[])/, "."));
  if (!find) throw new KubectlError(`couldn't find any field with path ${JSON.stringify(path)} in the list of objects`);
  const keyed = values.map((value) => ({ value, key: find(inside ? value[inside] : value)[0] }));
  if (values.length && keyed.every(({ key }) => key === undefined)) throw new KubectlError(`couldn't find any field with path ${JSON.stringify(`{${path.replace(/^\{(.*)\}$/, "$1")}}`)} in the list of objects`);
  return keyed.sort(({ key: a }, { key: b }) => (typeof a === "number" && typeof b === "number" ? a - b : a === undefined ? -1 : b === undefined ? 1 : String(a) < String(b) ? -1 : String(a) > String(b) ? 1 : 0)).map(({ value }) => value);
}

/** The objects as they are, then each change as it comes, in columns that stay where they are. Ends when the process is interrupted. */
async function watch(session: Session, targets: readonly PlacedTarget[], given: GetFlags): Promise<void> {
  const [target] = targets;
  if (targets.length !== 1) throw new KubectlError("you may only specify a single resource type");
  const { resource, name } = target!;
  const collection = pathOf(resource, given.allNamespaces ? undefined : target!.namespace ?? session.namespace);
  const selection = { labelSelector: given.selector, fieldSelector: name ? `metadata.name=${name}` : given.fieldSelector };
  const format = given.output && given.output !== "wide" ? given.output : "";
  const printer = format ? printerOf(format, { showManagedFields: given.showManagedFields, noHeaders: true }) : undefined;
  const accept = printer ? "application/json" : asTable;
  if (name) await session.api.json(pathFor(session, target!, given));
  const first = await session.api.json<Table & PlainObject>(collection, { accept, query: selection });
  let widths: number[] = [], headers = !given.noHeaders;
  const print = (objects: Table & PlainObject, type: string): void => {
    if (printer) return itemsOf(objects).forEach((item) => session.out(printer(given.outputWatchEvents ? { type, object: item } as unknown as PlainObject : { apiVersion: apiVersionOf(resource), kind: resource.kind, ...item })));
    const lines = tableLines(objects, { ...lookOf(given, resource, given.showKind), headers });
    const shown = given.outputWatchEvents ? lines.map((line, index) => [headers && index === 0 ? "EVENT" : type, ...line]) : lines;
    if (headers ? lines.length < 2 : lines.length === 0) return;
    widths = columnWidths(shown, widths);
    headers = false;
    session.out(aligned(shown, widths));
  };
  if (!given.watchOnly) print(first, "ADDED");
  let { columnDefinitions } = first;
  for await (const { type, object } of watchEvents(session.api, collection, { ...selection, resourceVersion: first.metadata.resourceVersion }, { accept })) {
    if (type === "BOOKMARK") continue;
    const table = object as unknown as Table & PlainObject;
    // Later frames leave the columns out.
    columnDefinitions = table.columnDefinitions?.length ? table.columnDefinitions : columnDefinitions;
    print(printer ? table : { ...table, columnDefinitions }, type);
  }
}
