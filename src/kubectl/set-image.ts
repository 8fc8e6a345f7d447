import type { Container } from "../apis/generated/core/v1.ts";
import { defineCommand, defineGroup } from "./command.ts";
import { forEachDespiteErrors, KubectlError } from "./errors.ts";
import { at, type PlainObject } from "./objects.ts";
import { selectedFlags, selectObjects } from "./selected.ts";
import { dryRunOf, fieldManagerFlag, outcomeText, writeQuery, writingFlags } from "./writing.ts";

const image = defineCommand({
  name: "image", usage: "image (-f FILENAME | TYPE NAME) CONTAINER_NAME_1=CONTAINER_IMAGE_1 ... CONTAINER_NAME_N=CONTAINER_IMAGE_N [flags]", summary: "Update the image of a pod template", flags: { ...selectedFlags, ...writingFlags, ...fieldManagerFlag("kubectl-set") },
  async run({ args, flags: given, connect }) {
    const wanted = new Map(args.filter((arg) => arg.includes("=")).map((arg): [string, string] => [arg.slice(0, arg.indexOf("=")), arg.slice(arg.indexOf("=") + 1)]));
    if (wanted.size === 0) throw new KubectlError("at least one image update is required");
    const session = await connect();
    await forEachDespiteErrors(await selectObjects(session, args.filter((arg) => !arg.includes("=")), given), async ({ object, path }) => {
      const where = placeOf(object), spec = at(object, ...where) as { containers: Container[]; initContainers?: Container[] };
      for (const name of wanted.keys()) if (name !== "*" && ![...spec.containers, ...(spec.initContainers ?? [])].some((each) => each.name === name)) throw new KubectlError(`unable to find container named ${JSON.stringify(name)}`);
      const changed = (containers: readonly Container[] = []): object[] => containers.map(({ name, image: before }) => ({ name, image: wanted.get(name) ?? wanted.get("*"), before })).filter((each) => each.image !== undefined && each.image !== each.before).map(({ name, image: after }) => ({ name, image: after }));
      const patch = { ...(changed(spec.containers).length ? { containers: changed(spec.containers) } : {}), ...(changed(spec.initContainers).length ? { initContainers: changed(spec.initContainers) } : {}) };
      // As kubectl: what has that image already isn't spoken of.
      if (Object.keys(patch).length === 0) return;
      const body = where.reduceRight<object>((inner, field) => ({ [field]: inner }), patch);
      const result = dryRunOf(given) === "client" ? object : await session.api.json<PlainObject>(path, { method: "PATCH", contentType: "application/strategic-merge-patch+json", body, query: writeQuery(given) });
      session.out(outcomeText({ ...result, apiVersion: object.apiVersion!, kind: object.kind! }, "image updated", given));
    });
  },
});

/** Where the pod's spec is in a kind that makes pods. */
function placeOf(object: PlainObject): string[] {
  const places = [["spec", "jobTemplate", "spec", "template", "spec"], ["spec", "template", "spec"], ["spec"]];
  const found = places.find((place) => at(object, ...place, "containers") !== undefined);
  if (!found) throw new KubectlError(`the object is not a pod or does not have a pod template: ${object.kind}`);
  return found;
}

export const setCommand = defineGroup({ name: "set", summary: "Set specific features on objects", subcommands: [image] });
