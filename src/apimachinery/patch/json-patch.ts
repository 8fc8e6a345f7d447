import { cloneJson } from "../clone.ts";
import { isObject, setOwn, type JsonObject } from "../own.ts";
import { badRequest, requestEntityTooLarge } from "../status.ts";

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

/** Why a patch doesn't apply to an object, in the words of Go's libraries. Clients are told only that it doesn't. */
export class PatchError extends Error {
  override readonly name = "PatchError";
}

/**
 * RFC 6902, on a copy, as Kubernetes' library reads it: an object's missing key counts as null but for `remove` and `move`. Only what an object
 * itself has is there for it: nothing comes from prototypes. Throws PatchError when an operation doesn't apply or a test fails; a StatusError,
 * 400 for what is no JSON Patch and 413 for too many operations.
 */
export function applyJsonPatch(target: unknown, patch: unknown): unknown {
  const checked = checkPatch(patch);
  const root: JsonObject = { document: cloneJson(target) };
  let copied = 0;
  for (const operation of checked) {
    const { op, path } = operation;
    const at = (pointer: string, what = "doc is missing path"): Place => {
      const place = placeOf(root, pointer);
      if (place) return place;
      throw new PatchError(`${op} operation does not apply: ${what}: ${op === "add" || op === "remove" ? JSON.stringify(pointer) : pointer}: missing value`);
    };
    const value = (): unknown => cloneJson(operation.value ?? null);
    const equal = (known: unknown): boolean => Bun.deepEquals(known ?? null, operation.value ?? null);
    switch (op) {
      case "add": add(at(path), value(), path); break;
      case "replace": {
        if (path === "") {
          if (typeof operation.value !== "object" || operation.value === null) throw new PatchError("replace operation value must be object or array");
          root["document"] = value();
          break;
        }
        const place = at(path);
        read(place);
        write(place, value());
        break;
      }
      case "remove": remove(at(path), path); break;
      case "test":
        if (!equal(path === "" ? root["document"] : read(at(path, "is missing path")))) throw new PatchError(`testing value ${path} failed: test failed`);
        break;
      case "move": {
        const source = at(operation.from!, "doc is missing from path"), moved = read(source);
        remove(source, path);
        add(at(path, "doc is missing destination path"), moved ?? null, path);
        break;
      }
      case "copy": {
        const original = read(at(operation.from!, "doc is missing from path")) ?? null;
        copied += JSON.stringify(original).length;
        if (copied > mostCopied) throw new PatchError(`Unable to complete the copy, the accumulated size increase of copy is ${copied}, exceeding the limit ${mostCopied}`);
        add(at(path, "doc is missing destination path"), cloneJson(original), path);
      }
    }
  }
  return root["document"];
}

/** Where a pointer leads: a container and the last segment. */
interface Place {
  parent: JsonObject | unknown[];
  key: string;
}

/** Undefined when there is no such container. What stands before the first slash is not looked at. */
function placeOf(root: JsonObject, pointer: string): Place | undefined {
  const segments = pointer.split("/").slice(1).map((segment) => segment.replaceAll("~1", "/").replaceAll("~0", "~"));
  if (segments.length === 0) return undefined;
  let parent: unknown = root["document"];
  for (const segment of segments.slice(0, -1)) {
    if (Array.isArray(parent)) {
      const index = indexOf(segment, parent.length);
      parent = index === undefined ? undefined : parent[index];
    } else parent = isObject(parent) && Object.hasOwn(parent, segment) ? parent[segment] : undefined;
  }
  return Array.isArray(parent) || isObject(parent) ? { parent, key: segments.at(-1)! } : undefined;
}

/** An index into an array of this length, or undefined. Negative ones count from the end, as in Kubernetes. */
function indexOf(key: string, length: number): number | undefined {
  if (!/^[+-]?\d{1,9}$/.test(key)) return undefined;
  const index = Number(key) < 0 ? length + Number(key) : Number(key);
  return index >= 0 && index < length ? index : undefined;
}

function itemOf(list: readonly unknown[], key: string, where = "", length = list.length): number {
  const index = indexOf(key, length);
  if (index === undefined) throw new PatchError(`${where}Unable to access invalid index: ${key}: invalid index referenced`);
  return index;
}

/** Undefined for a key that an object doesn't have. */
function read({ parent, key }: Place): unknown {
  if (Array.isArray(parent)) return parent[itemOf(parent, key)];
  return Object.hasOwn(parent, key) ? parent[key] : undefined;
}

function write({ parent, key }: Place, value: unknown): void {
  if (Array.isArray(parent)) parent[itemOf(parent, key)] = value;
  else setOwn(parent, key, value);
}

function add({ parent, key }: Place, value: unknown, path: string): void {
  if (!Array.isArray(parent)) setOwn(parent, key, value);
  else parent.splice(key === "-" ? parent.length : itemOf(parent, key, `error in add for path: '${path}': `, parent.length + 1), 0, value);
}

function remove({ parent, key }: Place, path: string): void {
  const where = `error in remove for path: '${path}': `;
  if (Array.isArray(parent)) parent.splice(itemOf(parent, key, where), 1);
  else if (Object.hasOwn(parent, key)) delete parent[key];
  else throw new PatchError(`${where}Unable to remove nonexistent key: ${key}: missing value`);
}

function checkPatch(patch: unknown): Operation[] {
  if (!Array.isArray(patch)) throw badRequest("json: cannot unmarshal object into Go value of type jsonpatch.Patch");
  if (patch.length > mostOperations) throw requestEntityTooLarge(`Request entity too large: The allowed maximum operations in a JSON patch is ${mostOperations}, got ${patch.length}`);
  for (const operation of patch as unknown[]) {
    if (!isObject(operation) || typeof operation.op !== "string" || !operations.has(operation.op)) throw new PatchError(`Unexpected kind: ${isObject(operation) && typeof operation.op === "string" ? operation.op : "unknown"}`);
    if (typeof operation.path !== "string") throw new PatchError(`${operation.op} operation failed to decode path: missing value`);
    if ((operation.op === "move" || operation.op === "copy") && typeof operation.from !== "string") throw new PatchError(`${operation.op} operation failed to decode from: missing value`);
  }
  return patch as Operation[];
}
