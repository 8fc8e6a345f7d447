import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { JsonObject } from "../apimachinery/own.ts";
import { defineCommand } from "./command.ts";
import { KubectlError, ServerError } from "./errors.ts";
import { text } from "./flags.ts";
import { objectsIn } from "./manifests.ts";
import { goJson, objectName, type PlainObject } from "./objects.ts";
import { withoutManagedFields, yamlText } from "./output.ts";
import { selectedFlags, selectObjects } from "./selected.ts";
import { schemaOf, threeWayPatch } from "./three-way.ts";
import { fieldManagerFlag, validateFlag, writeQuery } from "./writing.ts";

const intro = `# Please edit the object below. Lines beginning with a '#' will be ignored,
# and an empty file will abort the edit. If an error occurs while saving this file will be
# reopened with the relevant failures.
#
`;

export const editCommand = defineCommand({
  name: "edit", usage: "edit (RESOURCE/NAME | -f FILENAME) [flags]", summary: "Edit a resource on the server", flags: { ...selectedFlags, ...validateFlag, ...fieldManagerFlag("kubectl-edit"), subresource: text("If specified, edit will operate on the subresource of the requested object.") },
  async run({ args, flags: given, connect }) {
    const session = await connect();
    const selected = await selectObjects(session, args, given, { bulk: true });
    const directory = mkdtempSync(join(tmpdir(), "kubectl-edit-"));
    try {
      for (const { object, path } of selected) {
        const file = join(directory, `${object.metadata.name}.yaml`), original = withoutManagedFields(object);
        let problem = "";
        for (let before = yamlText(original); ;) {
          writeFileSync(file, intro + problem + before);
          await runEditor(file);
          const after = readFileSync(file, "utf8").split("\n").filter((line) => !line.startsWith("#")).join("\n");
          if (after.trim() === "" || after.trim() === before.trim()) {
            session.err(problem ? "error: Edit cancelled, no valid changes were saved.\n" : "Edit cancelled, no changes made.\n");
            break;
          }
          before = after;
          try {
            const [edited] = objectsIn(after, file);
            const patch = threeWayPatch(original as unknown as JsonObject, edited!.object as unknown as JsonObject, original as unknown as JsonObject, schemaOf(object.apiVersion!, object.kind!));
            const contentType = schemaOf(object.apiVersion!, object.kind!) ? "application/strategic-merge-patch+json" : "application/merge-patch+json";
            await session.api.json<PlainObject>(given.subresource ? `${path}/${given.subresource}` : path, { method: "PATCH", contentType, body: goJson(patch), query: writeQuery({ ...given, dryRun: "none" }) });
            session.out(`${objectName(object)} edited\n`);
            break;
          } catch (error) {
            if (!(error instanceof KubectlError)) throw error;
            problem = `${(error instanceof ServerError ? error.message : error.message).split("\n").map((line) => `# ${line}`).join("\n")}\n#\n`;
          }
        }
      }
    } finally {
      rmSync(directory, { recursive: true, force: true });
    }
  },
});

async function runEditor(file: string): Promise<void> {
  const editor = process.env["KUBE_EDITOR"] || process.env["EDITOR"] || "vi";
  const child = Bun.spawn(["sh", "-c", `${editor} "$1"`, "sh", file], { stdin: "inherit", stdout: "inherit", stderr: "inherit" });
  if (await child.exited !== 0) throw new KubectlError(`there was a problem with the editor ${JSON.stringify(editor)}`);
}
