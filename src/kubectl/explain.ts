import { defineCommand } from "./command.ts";
import { apiVersionOf, type Resource } from "./discovery.ts";
import { KubectlError, PlainError } from "./errors.ts";
import { bool, text } from "./flags.ts";
import type { Session } from "./session.ts";

/** The parts of OpenAPI v3 that an explanation needs. */
interface Schema {
  $ref?: string;
  allOf?: Schema[];
  type?: string;
  description?: string;
  properties?: Record<string, Schema>;
  items?: Schema;
  additionalProperties?: Schema | boolean;
  required?: string[];
  enum?: unknown[];
  "x-kubernetes-group-version-kind"?: { group: string; version: string; kind: string }[];
}
type Schemas = Record<string, Schema>;

export const explainCommand = defineCommand({
  name: "explain", usage: "explain TYPE [--recursive=FALSE|TRUE] [--api-version=api-version-group] [-o|--output=plaintext]", summary: "Get documentation for a resource",
  flags: { recursive: bool("When true, print the name of all the fields recursively."), apiVersion: text("Use given api-version (group/version) of the resource."), output: text("Format in which to render the schema.", { default: "plaintext", short: "o" }) },
  async run({ args, flags: given, connect, usageError }) {
    const [path, ...more] = args;
    if (!path) throw usageError("You must specify the type of resource to explain. Use \"kubectl api-resources\" for a complete list of supported resources.");
    if (more.length) throw new KubectlError("We accept only this format: explain RESOURCE\n");
    const session = await connect();
    const { resource, fields } = await find(session, path, given.apiVersion);
    const { components } = await session.api.json<{ components: { schemas: Schemas } }>(`/openapi/v3/${resource.group ? `apis/${resource.group}/${resource.version}` : `api/${resource.version}`}`);
    const schema = Object.values(components.schemas).find(({ "x-kubernetes-group-version-kind": kinds }) => kinds?.some((each) => each.group === resource.group && each.version === resource.version && each.kind === resource.kind));
    if (!schema) throw new KubectlError(`GVR (${apiVersionOf(resource)}, Resource=${resource.resource}) not found in OpenAPI schema`);
    session.out(`${resource.group ? `GROUP:      ${resource.group}\n` : ""}KIND:       ${resource.kind}\nVERSION:    ${resource.version}\n\n`);
    session.out(`${explanation(components.schemas, schema, fields, given.recursive)}\n`);
  },
});

/** The type may be written with its group, `deployments.apps.spec`: as much of the path as names a type. */
async function find(session: Session, path: string, apiVersion: string): Promise<{ resource: Resource; fields: string[] }> {
  const [type = "", ...fields] = path.split(".");
  const [found] = await session.discovery.findAll(type).catch((error: Error): never => {
    throw error instanceof KubectlError ? new PlainError(error.message) : error;
  });
  if (!found) throw new PlainError(`the server doesn't have a resource type ${JSON.stringify(type)}`);
  if (!apiVersion) return { resource: found, fields };
  const resource = (await session.discovery.resources()).find((each) => apiVersionOf(each) === apiVersion && each.resource === found.resource);
  if (!resource) throw new KubectlError(`couldn't find resource for "${apiVersion}, Resource=${found.resource}"`);
  return { resource, fields };
}

const nameOfRef = (ref: string): string => ref.slice(ref.lastIndexOf("/") + 1);

/** What a reference, alone or inside `allOf`, points to. */
function resolved(schemas: Schemas, schema: Schema): Schema {
  const ref = schema.$ref ?? schema.allOf?.[0]?.$ref;
  return ref ? schemas[nameOfRef(ref)] ?? {} : schema;
}

/** The schema whose fields a field has: through lists and maps. */
function inside(schemas: Schemas, schema: Schema): Schema {
  const target = resolved(schemas, schema);
  if (target.items) return inside(schemas, target.items);
  return typeof target.additionalProperties === "object" ? inside(schemas, target.additionalProperties) : target;
}

function typeText(schemas: Schemas, schema: Schema): string {
  const ref = schema.$ref ?? schema.allOf?.[0]?.$ref;
  if (ref) {
    const target = schemas[nameOfRef(ref)] ?? {};
    const name = nameOfRef(ref);
    return target.type === "string" && /\.Time$|\.MicroTime$/.test(name) ? "string" : name.slice(name.lastIndexOf(".") + 1);
  }
  if (schema.items) return `[]${typeText(schemas, schema.items)}`;
  if (typeof schema.additionalProperties === "object") return `map[string]${typeText(schemas, schema.additionalProperties)}`;
  return schema.type ?? "Object";
}

function explanation(schemas: Schemas, root: Schema, fields: readonly string[], recursive: boolean): string {
  let schema = root, header = "";
  for (const [index, field] of fields.entries()) {
    const next = inside(schemas, schema).properties?.[field];
    if (!next) throw new KubectlError(`field ${JSON.stringify(field)} does not exist`);
    schema = next;
    if (index === fields.length - 1) header = `FIELD: ${field} <${typeText(schemas, schema)}>\n${enumText(inside(schemas, schema), { before: "ENUM:\n    ", between: "\n    " }) || "\n"}\n`;
  }
  const target = inside(schemas, schema), descriptions = [schema.description, ...(target === schema ? [] : [target.description])].filter((each): each is string => Boolean(each));
  const about = indented(wrapped(descriptions.map((each) => `${each}\n`).join("") || "<empty>", 76), 4);
  const list = fieldList(schemas, target, 1, recursive, new Set());
  return `${header}DESCRIPTION:\n${about}\n${list ? `FIELDS:\n${list}` : ""}`;
}

function enumText({ enum: values = [] }: Schema, { before, between, most = values.length }: { before: string; between: string; most?: number }): string {
  if (values.length === 0) return "";
  const shown = values.slice(0, most).map((each) => (each === "" ? '""' : String(each)));
  return `${before}${[...shown, ...(values.length > most ? ["...."] : [])].join(between)}\n`;
}

/** Values of a field that a list of fields shows. */
const mostValues = 4;

function fieldList(schemas: Schemas, { properties = {}, required = [] }: Schema, level: number, recursive: boolean, within: ReadonlySet<Schema>): string {
  const indent = "  ".repeat(level);
  return Object.keys(properties).sort().map((name) => {
    const schema = properties[name]!, target = inside(schemas, schema);
    const line = `${indent}${name}\t<${typeText(schemas, schema)}>${required.includes(name) ? " -required-" : ""}\n${enumText(target, { before: `${indent}enum: `, between: ", ", most: mostValues })}`;
    if (recursive) return line + (within.has(target) ? "" : fieldList(schemas, target, level + 1, true, new Set([...within, target])));
    return `${line}${indented(wrapped(schema.description ?? "<no description>", 76), 2 * (level + 1))}\n\n`;
  }).join("");
}

/** Breaks lines at spaces; words that are longer stand alone. */
function wrapped(text: string, width: number): string {
  return text.split("\n").map((paragraph) => {
    const lines: string[] = [];
    let line = "";
    for (const [, spaces = "", word = ""] of paragraph.matchAll(/( *)([^ ]+)/g)) {
      if (line && line.length + spaces.length + word.length > width) {
        lines.push(line);
        line = word;
      } else line += spaces + word;
    }
    return [...lines, line].join("\n");
  }).join("\n");
}

const indented = (text: string, by: number): string => text.split("\n").map((line) => " ".repeat(by) + line).join("\n");
