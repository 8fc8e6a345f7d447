// Collects what `kubectl explain` says from the documentation comments of the development dependency @kubernetes/client-node:
// `bun src/build/descriptions.ts` writes dist/descriptions.gz, which the executable embeds. Never committed.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { factsOf, typeNames, typeOf } from "../apimachinery/schema/schema.ts";

const root = join(import.meta.dir, "../..");
const models = join(root, "node_modules/@kubernetes/client-node/dist/gen/models");
const output = join(root, "dist/descriptions.gz");

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

/** The class that client-node makes of a type: `V1Pod`, or `CoreV1Event` where other groups have one too. */
function classOf(typeName: string, classes: ReadonlySet<string>): string | undefined {
  const [kind = "", version = "", group = ""] = typeName.split(".").reverse();
  return [`${capital(group)}${capital(version)}${kind}`, `${capital(version)}${kind}`].find((name) => classes.has(name));
}

/** A comment's text on one line, as the API's own descriptions are. */
const textOf = (comment: string): string => comment.replace(/^\s*\*? ?/gm, "").replace(/\*\\\//g, "*/").replace(/\\(["'])/g, "$1").trim();
const comment = String.raw`/\*\*\s*\n((?:(?!\*/)[\s\S])*?)\s*\*/\s*\n\s*`;
const classPattern = new RegExp(`${comment}export declare class`);
const fieldPattern = new RegExp(`${comment}'([^']+)'\\??:`, "g");

function describe(className: string): Record<string, string> {
  const declaration = readFileSync(join(models, `${className}.d.ts`), "utf8");
  const baseNames = new Map([...readFileSync(join(models, `${className}.js`), "utf8").matchAll(/"name": "([^"]+)",\s*"baseName": "([^"]+)"/g)].map((match) => [match[1]!, match[2]!]));
  const texts: Record<string, string> = {};
  const own = classPattern.exec(declaration)?.[1];
  if (own) texts[""] = textOf(own);
  for (const [, text, name] of declaration.matchAll(fieldPattern)) texts[baseNames.get(name!) ?? name!] = textOf(text!);
  return texts;
}

/** Guards against a class of the same name in another group. */
function fits(typeName: string, texts: Record<string, string>): boolean {
  const type = typeOf(typeName);
  return type.kind !== "struct" || Object.keys(texts).every((field) => field === "" || type.fields.has(field));
}

const classes = new Set(readdirSync(models).filter((file) => file.endsWith(".d.ts")).map((file) => file.slice(0, -".d.ts".length)));
const lines: string[] = [];
for (const typeName of typeNames()) {
  const className = factsOf(typeName)?.fields && classOf(typeName, classes);
  const texts = className ? describe(className) : {};
  if (Object.keys(texts).length > 0 && fits(typeName, texts)) lines.push(`${typeName}\t${JSON.stringify(texts)}`);
}
mkdirSync(join(root, "dist"), { recursive: true });
writeFileSync(output, Bun.gzipSync(Buffer.from(`${lines.join("\n")}\n`), { level: 9 }));
process.stdout.write(`described ${lines.length} types\n`);
