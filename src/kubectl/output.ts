import { readFileSync } from "node:fs";
import { dump } from "js-yaml";
import { isObject } from "../apimachinery/own.ts";
import { KubectlError } from "./errors.ts";
import { formatJsonPath, missingText } from "./jsonpath-template.ts";
import { goJson, itemsOf, objectName, sorted, type PlainObject } from "./objects.ts";
import { aligned } from "./table.ts";

/** Prints an object, or a List of them, in the form that `-o` names. */
export type Printer = (object: PlainObject) => string;

export interface PrinterLook {
  showManagedFields?: boolean;
  /** Custom columns without their header. */
  noHeaders?: boolean;
  /** What `-o` may be besides. */
  also?: readonly string[];
}

const structured = ["custom-columns", "custom-columns-file", "json", "jsonpath", "jsonpath-as-json", "jsonpath-file", "name", "yaml"];

/** The printer of `-o FORMAT` or `-o FORMAT=TEMPLATE`. Throws for what no format is. */
export function printerOf(format: string, { showManagedFields = false, noHeaders = false, also = [] }: PrinterLook = {}): Printer {
  const equals = format.indexOf("=");
  const kind = equals < 0 ? format : format.slice(0, equals), argument = equals < 0 ? "" : format.slice(equals + 1);
  const clean = (object: PlainObject): PlainObject => (showManagedFields ? object : withoutManagedFields(object));
  switch (kind) {
    case "json": return (object) => `${goJson(clean(object), 4)}\n`;
    case "yaml": return (object) => yamlText(clean(object));
    case "name": return (object) => itemsOf(object).map((item) => `${objectName(item)}\n`).join("");
    case "jsonpath": case "jsonpath-as-json": case "jsonpath-file": {
      if (!argument) throw new KubectlError("template format specified but no template given");
      const print = formatJsonPath(kind === "jsonpath-file" ? readFileSync(argument, "utf8") : argument, { asJson: kind === "jsonpath-as-json" });
      return (object) => print(object);
    }
    case "custom-columns": return customColumns(argument, noHeaders);
    case "custom-columns-file": return customColumns(columnsOfFile(argument), noHeaders);
    default: throw new KubectlError(`unable to match a printer suitable for the output format ${JSON.stringify(kind)}, allowed formats are: ${[...structured, ...also].sort().join(",")}`);
  }
}

/** YAML as kubectl writes it. */
export const yamlText = (value: unknown): string => dump(sorted(value), { lineWidth: -1, noRefs: true, seqNoIndent: true, quoteStyle: "double" } as Parameters<typeof dump>[1]);

export function withoutManagedFields(object: PlainObject): PlainObject {
  if (object.items) return { ...object, items: object.items.map(withoutManagedFields) };
  if (!isObject(object.metadata) || object.metadata.managedFields === undefined) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

/** The first line of the file holds the headers, the second the paths. */
function columnsOfFile(file: string): string {
  const [headers = "", paths = ""] = readFileSync(file, "utf8").split("\n");
  const split = (line: string): string[] => line.trim().split(/\s+/);
  return split(headers).map((header, column) => `${header}:${split(paths)[column] ?? ""}`).join(",");
}

/** `NAME:.metadata.name,IMAGE:.spec.containers[*].image`. */
function customColumns(spec: string, noHeaders: boolean): Printer {
  if (!spec) throw new KubectlError("custom-columns format specified but no custom columns given");
  const columns = spec.split(/,(?![^[]*\])/).map((column) => {
    const colon = column.indexOf(":");
    if (colon < 1) throw new KubectlError(`unexpected custom-columns spec: ${column}, expected <header>:<json-path-expr>`);
    return { header: column.slice(0, colon), print: formatJsonPath(relaxed(column.slice(colon + 1)), { missing: missingText, separator: "," }) };
  });
  return (object) => aligned([...(noHeaders ? [] : [columns.map(({ header }) => header)]), ...itemsOf(object).map((item) => columns.map(({ print }) => print(item)))]);
}

/** `metadata.name`, `.metadata.name` and `{.metadata.name}` are the same. */
const relaxed = (path: string): string => `{.${path.replace(/^\{(.*)\}$/, "$1").replace(/^\./, "")}}`;
