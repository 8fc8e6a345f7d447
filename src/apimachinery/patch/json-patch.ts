import { isObject, setOwn, type JsonObject } from "../own.ts";
import { badRequest, requestEntityTooLarge, StatusError } from "../status.ts";

interface Operation {
  op: "add" | "remove" | "replace" | "move" | "copy" | "test";
  path: string;
  from?: string;
  value?: unknown;
}

/** As many operations as Kubernetes takes. */
const mostOperations = 10_000;
/** What all copies together may add, in characters of JSON: a few that copy their own results would fill the memory. */
const mostCopied = 3 << 20;
const operations = new Set(["add", "remove", "replace", "move", "copy", "test"]);

/**
 * RFC 6902, on a copy. Only what an object itself has is there for it: nothing comes from prototypes. Throws a StatusError: 400 for what is no
 * JSON Patch, 422 when an operation doesn't apply or a test fails, 413 for too many operations.
 */
export function applyJsonPatch(target: unknown, patch: unknown): unknown {
  const checked = checkPatch(patch);
  const root: JsonObject = { document: structuredClone(target) };
  let copied = 0;
  const at = (path: string): Place => placeOf(root, ["document", ...segments(path)]);
  for (const operation of checked) {
    const missing = (): StatusError => rejected(`${operation.op} operation does not apply: doc is missing path: ${JSON.stringify(operation.path)}: missing value`);
    const source = (): unknown => {
      const found = read(at(operation.from!));
      if (found === undefined) throw rejected(`${operation.op} operation does not apply: doc is missing from path: ${operation.from}: missing value`);
      return found;
    };
    const value = (): unknown => structuredClone(operation.value);
    switch (operation.op) {
      case "add":
        if (!add(at(operation.path), value())) throw missing();
        break;
      case "replace":
        if (read(at(operation.path)) === undefined) throw missing();
        write(at(operation.path), value());
        break;
      case "remove":
        if (!remove(at(operation.path))) throw missing();
        break;
      case "test":
        if (!Bun.deepEquals(read(at(operation.path)) ?? null, operation.value ?? null)) throw rejected(`testing value ${operation.path} failed: test failed`);
        break;
      case "move": {
        const moved = source();
        if (operation.path.startsWith(`${operation.from}/`)) throw missing();
        remove(at(operation.from!));
        if (!add(at(operation.path), moved)) throw missing();
        break;
      }
      case "copy": {
        const original = source();
        copied += JSON.stringify(original).length;
        if (copied > mostCopied) throw rejected(`Unable to complete the copy, the accumulated size increase of copy is ${copied}, exceeding the limit ${mostCopied}`);
        if (!add(at(operation.path), structuredClone(original))) throw missing();
      }
    }
  }
  return root["document"];
}

/** Where a pointer leads: a container, undefined when there is none, and the last segment. */
interface Place {
  parent: JsonObject | unknown[] | undefined;
  key: string;
}

function placeOf(root: JsonObject, path: readonly string[]): Place {
  let parent: unknown = root;
  for (const segment of path.slice(0, -1)) parent = read({ parent: containerOf(parent), key: segment });
  return { parent: containerOf(parent), key: path.at(-1)! };
}

const containerOf = (value: unknown): JsonObject | unknown[] | undefined => (Array.isArray(value) || isObject(value) ? value : undefined);

/** `~1` is a slash, `~0` a tilde (RFC 6901). */
const segments = (path: string): string[] => path.split("/").slice(1).map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));

/** An index into an array of this length, or undefined. Negative ones count from the end, as in Kubernetes. */
function indexOf(key: string, length: number): number | undefined {
  if (!/^(?:0|-?[1-9]\d{0,8})$/.test(key)) return undefined;
  const index = Number(key) < 0 ? length + Number(key) : Number(key);
  return index >= 0 && index < length ? index : undefined;
}

function read({ parent, key }: Place): unknown {
  if (Array.isArray(parent)) {
    const index = indexOf(key, parent.length);
    return index === undefined ? undefined : parent[index];
  }
  return parent && Object.hasOwn(parent, key) ? parent[key] : undefined;
}

/** Sets what is there already. */
function write({ parent, key }: Place, value: unknown): void {
  if (Array.isArray(parent)) parent[indexOf(key, parent.length)!] = value;
  else setOwn(parent!, key, value);
}

function add({ parent, key }: Place, value: unknown): boolean {
  if (!parent) return false;
  if (!Array.isArray(parent)) setOwn(parent, key, value);
  else {
    const index = key === "-" ? parent.length : indexOf(key, parent.length + 1);
    if (index === undefined) return false;
    parent.splice(index, 0, value);
  }
  return true;
}

function remove(place: Place): boolean {
  if (read(place) === undefined) return false;
  const { parent, key } = place;
  if (Array.isArray(parent)) parent.splice(indexOf(key, parent.length)!, 1);
  else delete parent![key];
  return true;
}

function checkPatch(patch: unknown): Operation[] {
  if (!Array.isArray(patch)) throw badRequest("error decoding patch: json: cannot unmarshal object into Go value of type jsonpatch.Patch");
  if (patch.length > mostOperations) throw requestEntityTooLarge(`The allowed maximum operations in a JSON patch is ${mostOperations}, got ${patch.length}`);
  for (const operation of patch as unknown[]) {
    if (!isObject(operation) || typeof operation.op !== "string" || !operations.has(operation.op)) throw rejected(`Unexpected kind: ${isObject(operation) && typeof operation.op === "string" ? operation.op : "unknown"}`);
    if (!isPointer(operation.path)) throw rejected(`${operation.op} operation has no valid path`);
    if ((operation.op === "move" || operation.op === "copy") && !isPointer(operation.from)) throw rejected(`${operation.op} operation has no valid from`);
    if (["add", "replace"].includes(operation.op) && operation.value === undefined) throw rejected(`${operation.op} operation has no value`);
  }
  return patch as Operation[];
}

const isPointer = (text: unknown): text is string => typeof text === "string" && (text === "" || text.startsWith("/"));

export const rejectedPrefix = "the server rejected our request due to an error in our request: ";

/** What a patch that can't be applied is answered with. */
export function rejected(detail: string): StatusError {
  const message = rejectedPrefix + detail;
  return new StatusError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message, reason: "Invalid", details: {}, code: 422 });
}
