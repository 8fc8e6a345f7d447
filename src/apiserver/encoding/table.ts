import type { AnyResource } from "../../apimachinery/resource.ts";
import { invalidValue, render } from "../../apimachinery/field-errors.ts";
import { badRequest } from "../../apimachinery/status.ts";
import type { ListMeta, Table, TableRow } from "../../apis/generated/meta/v1.ts";
import { objectValue, type AnyObject, type Kinded } from "./object-json.ts";
import { partialMetadata } from "./partial-metadata.ts";

export type IncludeObject = "None" | "Metadata" | "Object";

/** The `includeObject` query parameter: what of the object each row carries. */
export function includeObjectOf(query: URLSearchParams): IncludeObject {
  const asked = query.get("includeObject") || "Metadata";
  if (asked !== "None" && asked !== "Metadata" && asked !== "Object") {
    throw badRequest(`Unable to convert to Table as requested: ${render(invalidValue("includeObject", asked, "must be 'Metadata', 'Object', 'None', or empty"))}`);
  }
  return asked;
}

export interface TableOptions {
  includeObject: IncludeObject;
  metaVersion: "v1" | "v1beta1";
  /** Leaves the columns out, as watches do after their first event. */
  noHeaders?: boolean;
  /** Milliseconds, for ages. */
  now: number;
}

/** A card, or another kind that has columns. */
export type Printed = Kinded & { columns: AnyResource["columns"] };

/** Server-side printing: the card's columns over these objects. Source: k8s.io/kubernetes/pkg/printers. */
export function table(card: Printed, objects: readonly AnyObject[], metadata: ListMeta, options: TableOptions): Table {
  return {
    kind: "Table", apiVersion: `meta.k8s.io/${options.metaVersion}`, metadata,
    columnDefinitions: options.noHeaders ? (null as unknown as Table["columnDefinitions"]) : card.columns.map(({ name, type, format = "", description = "", priority = 0 }) => ({ name, type, format, description, priority })),
    rows: objects.map((object) => row(card, object, options)),
  };
}

/** A Table of one object, with its resourceVersion, as GET and watch events carry it. */
export const tableOfOne = (card: Printed, object: AnyObject, options: TableOptions): Table =>
  table(card, [object], { resourceVersion: object.metadata.resourceVersion }, options);

function row(card: Printed, object: AnyObject, { includeObject, metaVersion, now }: TableOptions): TableRow {
  const cells = card.columns.map((column) => column.value(object, now));
  if (includeObject === "None") return { cells, object: null } as unknown as TableRow;
  return { cells, object: (includeObject === "Object" ? objectValue(card, object) : partialMetadata(object, metaVersion)) as Record<string, unknown> };
}
