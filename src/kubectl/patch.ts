import { readFileSync } from "node:fs";
import { parseYaml } from "../apimachinery/schema/yaml.ts";
import { defineCommand } from "./command.ts";
import { forEachDespiteErrors, KubectlError } from "./errors.ts";
import { text } from "./flags.ts";
import type { PlainObject } from "./objects.ts";
import { selectedFlags, selectObjects } from "./selected.ts";
import { schemaOf } from "./three-way.ts";
import { dryRunOf, fieldManagerFlag, outcomeText, writeQuery, writingFlags } from "./writing.ts";

const types: Readonly<Record<string, string>> = { json: "application/json-patch+json", merge: "application/merge-patch+json", strategic: "application/strategic-merge-patch+json" };

export const patchCommand = defineCommand({
  name: "patch", usage: "patch (-f FILENAME | TYPE NAME) [-p PATCH|--patch-file FILE] [flags]", summary: "Update fields of a resource",
  flags: {
    ...selectedFlags, ...writingFlags, ...fieldManagerFlag("kubectl-patch"),
    patch: text("The patch to be applied to the resource JSON file.", { short: "p" }), patchFile: text("A file containing a patch to be applied to the resource."),
    type: text("The type of patch being provided; one of [json merge strategic]", { default: "strategic" }), subresource: text("If specified, patch will operate on the subresource of the requested object."),
  },
  async run({ args, flags: given, given: isGiven, connect }) {
    if (!given.patch && !given.patchFile) throw new KubectlError("must specify --patch or --patch-file containing the contents of the patch");
    const contentType = types[given.type.toLowerCase()];
    if (!contentType) throw new KubectlError(`--type must be one of [json merge strategic], not ${JSON.stringify(given.type)}`);
    const body = readPatch(given.patchFile ? readFileSync(given.patchFile, "utf8") : given.patch);
    const session = await connect();
    await forEachDespiteErrors(await selectObjects(session, args, given), async ({ object, path }) => {
      // Custom resources know no strategic merge; unless it was asked for, they get a merge patch.
      const sent = contentType.includes("strategic") && !isGiven("type") && !schemaOf(object.apiVersion!, object.kind!) ? types["merge"]! : contentType;
      const result = dryRunOf(given) === "client" ? object : await session.api.json<PlainObject>(given.subresource ? `${path}/${given.subresource}` : path, { method: "PATCH", contentType: sent, body, query: writeQuery(given) });
      session.out(outcomeText({ ...result, apiVersion: object.apiVersion!, kind: object.kind! }, result.metadata.resourceVersion === object.metadata.resourceVersion ? "patched (no change)" : "patched", given));
    });
  },
});

function readPatch(text: string): unknown {
  try {
    return parseYaml(text).value;
  } catch (error) {
    throw new KubectlError(`unable to parse ${JSON.stringify(text)}: ${(error as Error).message}`);
  }
}
