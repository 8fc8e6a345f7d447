import { defineCommand } from "./command.ts";
import { apiVersionOf, pathOf, type Resource } from "./discovery.ts";
import { forEachDespiteErrors, isNotFound, isReason, KubectlError } from "./errors.ts";
import { bool, duration, repeated, text } from "./flags.ts";
import { readAll } from "./get.ts";
import { formatJsonPath } from "./jsonpath-template.ts";
import { manifestFlags, readManifests, resolveManifest } from "./manifests.ts";
import { at, itemsOf, objectName, type PlainObject } from "./objects.ts";
import { printerOf } from "./output.ts";
import type { Session } from "./session.ts";
import { pathOfTarget, selectionFlags, targetsOf } from "./targets.ts";
import { watchEvents } from "./watch.ts";

export interface Place { resource: Resource; namespace: string | undefined; name: string }

export class TimedOut extends KubectlError {}

/**
 * Waits until `satisfied` says yes of the object, of which it gets every state, undefined while there is none. Resolves with the last one.
 * Throws `TimedOut` at `until`, of `performance.now()`.
 */
export async function waitForObject(session: Session, { resource, namespace, name }: Place, satisfied: (object: PlainObject | undefined) => boolean, until: number): Promise<PlainObject | undefined> {
  const collection = pathOf(resource, namespace), fieldSelector = `metadata.name=${name}`;
  const timedOut = new TimedOut(`timed out waiting for the condition on ${resource.resource}/${name}`);
  for (;;) {
    const list = await session.api.json<PlainObject>(collection, { query: { fieldSelector } });
    const [found] = itemsOf(list).map((item) => ({ ...item, apiVersion: apiVersionOf(resource), kind: resource.kind }));
    if (satisfied(found)) return found;
    const left = until - performance.now();
    if (left <= 0) throw timedOut;
    const signal = AbortSignal.timeout(Math.min(left, 2 ** 31 - 1));
    try {
      for await (const { type, object } of watchEvents(session.api, collection, { fieldSelector, resourceVersion: list.metadata.resourceVersion }, { signal })) {
        const state = type === "DELETED" ? undefined : object;
        if (type !== "BOOKMARK" && satisfied(state)) return state;
      }
    } catch (error) {
      if (signal.aborted) throw timedOut;
      // The server forgot that resourceVersion: look again.
      if (!isReason(error, "Expired", "Gone")) throw error;
    }
  }
}

const flags = {
  ...selectionFlags, ...manifestFlags,
  all: bool("Select all resources in the namespace of the specified resource types"),
  for: repeated("The condition to wait on: [create|delete|condition=condition-name[=condition-value]|jsonpath='{JSONPath expression}'=[JSONPath value]]."),
  timeout: duration("The length of time to wait before giving up. Zero means check once and don't wait, negative means wait for a week.", 30_000),
  output: text("Output format", { short: "o" }),
} as const;

const week = 168 * 3_600_000;

export const waitCommand = defineCommand({
  name: "wait", usage: "wait ([-f FILENAME] | resource.group/resource.name | resource.group [(-l label | --all)]) [--for=create|--for=delete|--for condition=available|--for=jsonpath='{}'[=value]] [flags]",
  summary: "Wait for a specific condition on one or many resources", flags,
  async run({ args, flags: given, connect, terminal }) {
    if (given.for.length === 0) throw new KubectlError("unrecognized condition: []");
    const conditions = given.for.map(conditionOf);
    const session = await connect();
    const until = performance.now() + (given.timeout < 0 ? week : given.timeout);
    const vanishes = given.for.some((condition) => condition.toLowerCase() === "delete");
    const appears = given.for.some((condition) => condition.toLowerCase() === "create");
    const places = given.filename.length
      ? await Promise.all((await readManifests(given, terminal)).map(async (manifest) => ({ ...await resolveManifest(session, manifest), name: manifest.object.metadata.name ?? "" })))
      : await placesOf(session, args, given, appears ? "kept" : vanishes ? "left out" : "wrong");
    if (places.length === 0 && !vanishes) throw new KubectlError("no matching resources found");
    await forEachDespiteErrors(places, async (place) => {
      let last: PlainObject = { apiVersion: apiVersionOf(place.resource), kind: place.resource.kind, metadata: { name: place.name } };
      for (const condition of conditions) last = await waitForObject(session, place, condition, until) ?? last;
      session.out(given.output ? printerOf(given.output)(last) : `${objectName({ ...last, apiVersion: apiVersionOf(place.resource), kind: place.resource.kind })} condition met\n`);
    });
  },
});

async function placesOf(session: Session, args: readonly string[], given: { all: boolean; selector: string; fieldSelector: string; allNamespaces: boolean }, missing: "kept" | "left out" | "wrong"): Promise<Place[]> {
  const targets = await targetsOf(session.discovery, args);
  const found = await Promise.all(targets.map(async ({ resource, name }): Promise<Place[]> => {
    const namespace = resource.namespaced ? session.namespace : undefined;
    if (name !== undefined) {
      if (missing !== "kept") await session.api.json(pathOf(resource, namespace, name));
      return [{ resource, namespace, name }];
    }
    if (!given.all && !given.selector && !given.fieldSelector) throw new KubectlError("resource(s) were provided, but no name was specified");
    const objects = await readAll(session.api, resource, pathOfTarget({ resource }, session, given), given);
    return objects.map(({ metadata }) => ({ resource, namespace: metadata.namespace, name: metadata.name! }));
  }).map((reading) => reading.catch((error: unknown): Place[] => {
    if (missing === "left out" && isNotFound(error)) return [];
    throw error;
  })));
  return found.flat();
}

/** Reads what `--for` says. */
export function conditionOf(condition: string): (object: PlainObject | undefined) => boolean {
  const lower = condition.toLowerCase();
  if (lower === "delete") return (object) => object === undefined;
  if (lower === "create") return (object) => object !== undefined;
  if (lower.startsWith("condition=")) {
    const [type = "", status = "true"] = condition.slice("condition=".length).split("=");
    return (object) => hasCondition(object, type, status);
  }
  if (lower.startsWith("jsonpath=")) return jsonPathCondition(condition.slice("jsonpath=".length));
  throw new KubectlError(`unrecognized condition: ${JSON.stringify(condition)}`);
}

function hasCondition(object: PlainObject | undefined, type: string, status = "true"): boolean {
  const conditions = (at(object, "status", "conditions") ?? []) as { type: string; status: string; observedGeneration?: number }[];
  const found = conditions.find((each) => each.type.toLowerCase() === type.toLowerCase());
  // A condition of an older generation says nothing yet.
  if (found?.observedGeneration !== undefined && found.observedGeneration < (object?.metadata.generation ?? 0)) return false;
  return found?.status.toLowerCase() === status.toLowerCase();
}

/** `{.status.phase}=Running`, or a path alone that must find something. */
function jsonPathCondition(text: string): (object: PlainObject | undefined) => boolean {
  const match = /^(?:'([^']*\})'|(.*?\})|([^{=]+))(?:=(.+))?$/s.exec(text);
  if (!match) throw new KubectlError("jsonpath wait format must be --for=jsonpath='{.status.readyReplicas}'=3 or --for=jsonpath='{.status.readyReplicas}'");
  const path = match[1] ?? match[2] ?? match[3]!, wanted = match[4]?.replace(/^(['"])(.*)\1$/s, "$2");
  const print = formatJsonPath(path);
  return (object) => {
    const found = object ? print(object) : "";
    return wanted === undefined ? found !== "" : found === wanted;
  };
}
