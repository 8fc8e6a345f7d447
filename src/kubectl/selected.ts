import { apiVersionOf, pathOf, type Resource } from "./discovery.ts";
import { KubectlError } from "./errors.ts";
import { bool } from "./flags.ts";
import { readAll } from "./get.ts";
import { manifestFlags, readManifests, resolveManifest } from "./manifests.ts";
import type { PlainObject } from "./objects.ts";
import type { Session } from "./session.ts";
import { pathOfTarget, selectionFlags, targetsOf } from "./targets.ts";

/** An object on the server that a command was pointed at. */
export interface Selected {
  resource: Resource;
  object: PlainObject;
  /** Its own path. */
  path: string;
}

/** Flags of commands that change objects which arguments, manifests or selectors name. */
export const selectedFlags = { ...selectionFlags, ...manifestFlags, all: bool("Select all resources, in the namespace of the specified resource types") } as const;

interface SelectedFlags { filename: string[]; recursive: boolean; all: boolean; selector: string; fieldSelector?: string; allNamespaces?: boolean }

/** Reads the objects that the arguments, `-f`, `--all` or selectors name. With `types` alone nothing is selected: that is a mistake, unless `bulk`. */
export async function selectObjects(session: Session, args: readonly string[], given: SelectedFlags, { bulk = false }: { bulk?: boolean } = {}): Promise<Selected[]> {
  if (given.filename.length) {
    const manifests = await readManifests(given, session);
    return Promise.all(manifests.map(async (manifest) => {
      const { resource, namespace } = await resolveManifest(session, manifest);
      return read(session, resource, pathOf(resource, namespace, manifest.object.metadata.name));
    }));
  }
  const targets = await targetsOf(session.discovery, args);
  const found = await Promise.all(targets.map(async ({ resource, name }): Promise<Selected[]> => {
    if (name !== undefined) return [await read(session, resource, pathOf(resource, session.namespace, name))];
    if (!bulk && !given.all && !given.selector && !given.fieldSelector) throw new KubectlError("resource(s) were provided, but no name was specified");
    const objects = await readAll(session.api, resource, pathOfTarget({ resource }, session, given), given);
    return objects.map((object) => ({ resource, object, path: pathOf(resource, object.metadata.namespace, object.metadata.name) }));
  }));
  return found.flat();
}

async function read(session: Session, resource: Resource, path: string): Promise<Selected> {
  const object = await session.api.json<PlainObject>(path);
  return { resource, path, object: { ...object, apiVersion: apiVersionOf(resource), kind: resource.kind } };
}
