import {
  constructFromEvents, defineScalarTag, EVENT_ID, getScalarValue, mapTag, mergeTag, NOT_RESOLVED, nullCoreTag, parseEvents, Schema, seqTag, strTag, YAMLException,
  type Event,
} from "js-yaml";
import { badRequest } from "../status.ts";
import type { Parsed } from "./json.ts";

// Scalars as go-yaml 2 reads them, which Kubernetes manifests are written for: `yes` is true, `0644` is octal, `1e3` and dates are strings.
const notResolved = NOT_RESOLVED as never;
const digits = [..."0123456789"];

const goBool = defineScalarTag<boolean>("tag:yaml.org,2002:bool", {
  implicit: true,
  implicitFirstChars: [..."yYnNoOtTfF"],
  resolve: (text) =>
    /^(?:y|Y|yes|Yes|YES|on|On|ON|true|True|TRUE)$/.test(text) ? true : /^(?:n|N|no|No|NO|off|Off|OFF|false|False|FALSE)$/.test(text) ? false : notResolved,
  identify: (value) => typeof value === "boolean",
});

const goInt = defineScalarTag<number>("tag:yaml.org,2002:int", {
  implicit: true,
  implicitFirstChars: [...digits, "+", "-"],
  resolve: (text) => {
    if (!/^[-+]?(?:0[0-7_]*|0o[0-7_]+|0x[0-9a-fA-F_]+|0b[01_]+|[1-9][0-9_]*)$/.test(text)) return notResolved;
    const magnitude = text.replace(/^[-+]|_/g, "").replace(/^0(?=[0-7]+$)/, "0o");
    return text.startsWith("-") ? -Number(magnitude) : Number(magnitude);
  },
  identify: (value) => Number.isInteger(value),
});

const goFloat = defineScalarTag<number>("tag:yaml.org,2002:float", {
  implicit: true,
  implicitFirstChars: [...digits, "+", "-", "."],
  resolve: (text) => (/^[-+]?[0-9]*\.?[0-9]+(?:[eE][-+][0-9]+)?$/.test(text) ? Number(text) : notResolved),
  identify: (value) => typeof value === "number",
});

const goBinary = defineScalarTag<string>("tag:yaml.org,2002:binary", {
  resolve: (text) => Buffer.from(text, "base64").toString(),
  identify: () => false,
});

const schema = new Schema([strTag, seqTag, mapTag, nullCoreTag, goBool, goInt, goFloat, goBinary, mergeTag]);
/** Values that aliases may repeat before a document counts as an attack. */
const mostAliased = 100_000;
const maxDepth = 1000;

/**
 * Parses the first document of a YAML body to what JSON could hold (null when empty); of a repeated key the last counts.
 * Throws a 400 StatusError naming the line. `duplicates` are worded as go-yaml's.
 */
export function parseYaml(text: string, options: { duplicates?: boolean } = {}): Parsed {
  try {
    const events = parseEvents(text, { maxDepth });
    const value = construct(text, events)[0] ?? null;
    return { value, duplicates: options.duplicates ? findDuplicates(text, events) : [] };
  } catch (error) {
    throw badRequest(`error converting YAML to JSON: yaml: ${reasonOf(error)}`);
  }
}

/** All documents of a YAML text. Throws as `parseYaml` does, for repeated keys too. */
export function parseYamlDocuments(text: string): unknown[] {
  try {
    const events = parseEvents(text, { maxDepth });
    const [repeated] = findDuplicates(text, events);
    if (repeated) throw new Error(repeated.replace(/^yaml: /, ""));
    return construct(text, events);
  } catch (error) {
    throw badRequest(`error converting YAML to JSON: yaml: ${reasonOf(error)}`);
  }
}

function construct(source: string, events: Event[]): unknown[] {
  const documents = constructFromEvents(events, { source, schema, json: true });
  if (events.some((event) => event.type === EVENT_ID.ALIAS)) boundAliases(documents);
  return documents;
}

/** Counts values as often as aliases repeat them; a document that contains itself never ends, so it exceeds the bound as well. */
function boundAliases(documents: unknown[]): void {
  let left = mostAliased;
  const visit = (value: unknown, depth: number): void => {
    if (left-- <= 0 || depth > maxDepth) throw new Error("document contains excessive aliasing");
    if (typeof value === "object" && value !== null) for (const inner of Object.values(value)) visit(inner, depth + 1);
  };
  visit(documents, 0);
}

function reasonOf(error: unknown): string {
  if (!(error instanceof YAMLException)) return (error as Error).message;
  return error.mark ? `line ${error.mark.line + 1}: ${error.reason}` : error.reason;
}

/** The keys that a mapping has twice. Keys that are merged in (`<<`) may be set again. */
function findDuplicates(source: string, events: readonly Event[]): string[] {
  const found: string[] = [];
  const stack: { keys?: Set<string>; expectsKey: boolean }[] = [];
  for (const event of events) {
    if (event.type === EVENT_ID.POP) {
      stack.pop();
      continue;
    }
    const parent = stack.at(-1);
    if (parent?.keys) {
      if (parent.expectsKey && event.type === EVENT_ID.SCALAR) {
        const key = getScalarValue(source, event);
        if (parent.keys.has(key) && key !== "<<") found.push(`  line ${lineOf(source, event.valueStart)}: key ${JSON.stringify(key)} already set in map`);
        parent.keys.add(key);
      }
      parent.expectsKey = !parent.expectsKey;
    }
    if (event.type === EVENT_ID.MAPPING) stack.push({ keys: new Set(), expectsKey: true });
    else if (event.type === EVENT_ID.SEQUENCE || event.type === EVENT_ID.DOCUMENT) stack.push({ expectsKey: false });
  }
  return found.length > 0 ? [`yaml: unmarshal errors:\n${found.join("\n")}`] : [];
}

const lineOf = (source: string, position: number): number => source.slice(0, position).split("\n").length;
