import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configmaps, namespaces } from "../../src/apis/builtins.ts";
import { customresourcedefinitions } from "../../src/apis/apiextensions/customresourcedefinition.ts";
import type { KubeObject } from "../../src/apimachinery/meta.ts";
import type { AnyResource } from "../../src/apimachinery/resource.ts";
import { systemClock } from "../../src/base/clock.ts";
import type { AddOn } from "../../src/server/manifests/addon.ts";
import { runManifests } from "../../src/server/manifests/manifests.ts";
import { startApiServer, type TestApiServer } from "../support/apiserver.ts";
import { eventually } from "../support/eventually.ts";

let server: TestApiServer;
beforeAll(async () => {
  server = await startApiServer();
});
afterAll(() => server.stop());

const configMap = (name: string, value: string): string => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: ${name}}\ndata: {value: ${JSON.stringify(value)}}\n`;
const widgets = `apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.manifests.example.com}
spec:
  group: manifests.example.com
  scope: Namespaced
  names: {plural: widgets, singular: widget, kind: Widget}
  versions: [{name: v1, served: true, storage: true, schema: {openAPIV3Schema: {type: object, properties: {spec: {type: object, properties: {size: {type: integer}}}}}}}]
`;

/** A manifests directory that is being followed; `restart` stops and starts, with `between` done while nobody looks. */
function follow() {
  const directory = mkdtempSync(join(tmpdir(), "skiff-manifests-"));
  const events: string[] = [];
  const recorder = { event: (about: { metadata?: { name?: string } }, type: string, reason: string, message: string) => void events.push(`${about.metadata?.name} ${type} ${reason} ${message}`) };
  let stop: AbortController, running: Promise<void>;
  const start = (): void => {
    stop = new AbortController();
    running = runManifests({ directory, client: server.client(), kinds: server.registry.resources, informers: server.informers, recorder: recorder as never, clock: systemClock }, stop.signal);
  };
  const end = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  start();
  return {
    directory, events,
    write: (name: string, text: string) => {
      mkdirSync(join(directory, name, ".."), { recursive: true });
      writeFileSync(join(directory, name), text);
    },
    remove: (name: string) => rmSync(join(directory, name)),
    async restart(between: () => void) {
      await end();
      between();
      start();
    },
    async [Symbol.asyncDispose]() {
      await end();
      rmSync(directory, { recursive: true });
    },
  };
}

const find = async <T extends KubeObject>(card: AnyResource, name: string, namespace = "default"): Promise<T | undefined> =>
  structuredClone((await server.client().list<any>(card, card.scope === "Namespaced" ? { namespace } : {})).items.find(({ metadata }) => metadata.name === name)) as T | undefined;
const addon = async (name: string): Promise<AddOn | undefined> => {
  const card = server.registry.cards.find(({ resource }) => resource === "addons");
  return card && find<AddOn>(card, name, "kube-system");
};
const applied = async (name: string) => (await addon(name))?.status?.conditions?.find(({ type }) => type === "Applied");
const value = async (name: string): Promise<string | undefined> => (await find<KubeObject & { data: { value: string } }>(configmaps, name))?.data.value;

test("files are applied at start and on change, and pruned with what goes from them", async () => {
  await using manifests = follow();
  manifests.write("app.yaml", `${configMap("one", "1")}---\n${configMap("two", "2")}`);
  await eventually(async () => expect(await applied("app")).toMatchObject({ status: "True" }));
  expect([await value("one"), await value("two")]).toEqual(["1", "2"]);
  expect((await addon("app"))!.status!.objects!.map(({ name, uid }) => [name, typeof uid])).toEqual([["one", "string"], ["two", "string"]]);

  manifests.write("app.yaml", configMap("one", "changed"));
  await eventually(async () => expect([await value("one"), await value("two")]).toEqual(["changed", undefined]));

  manifests.write("sub/other.yml", configMap("three", "3"));
  await eventually(async () => expect(await value("three")).toBe("3"));
  manifests.remove("app.yaml");
  await eventually(async () => expect([await value("one"), await addon("app")]).toEqual([undefined, undefined]));
  expect(await addon("sub-other")).toBeDefined();

  await manifests.restart(() => {
    manifests.remove("sub/other.yml");
    manifests.write("late.json", JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "four" }, data: { value: "4" } }));
  });
  await eventually(async () => expect([await value("three"), await value("four"), await addon("sub-other")]).toEqual([undefined, "4", undefined]));
  expect(manifests.events.filter((event) => event.includes("Warning"))).toEqual([]);
});

test("a namespace, a definition and objects of it in one file, in the wrong order", async () => {
  await using manifests = follow();
  manifests.write("operator.yaml", `apiVersion: manifests.example.com/v1\nkind: Widget\nmetadata: {name: w, namespace: shop}\nspec: {size: 3}\n---\n${widgets}---\napiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n`);
  await eventually(async () => expect(await applied("operator")).toMatchObject({ status: "True" }));
  expect((await addon("operator"))!.status!.objects!.map(({ kind }) => kind)).toEqual(["Namespace", "CustomResourceDefinition", "Widget"]);
  manifests.remove("operator.yaml");
  await eventually(async () => expect(await addon("operator")).toBeUndefined());
  expect((await find(namespaces, "shop"))?.metadata.deletionTimestamp).toBeDefined();
  await eventually(async () => expect(await find(customresourcedefinitions, "widgets.manifests.example.com")).toBeUndefined());
});

test("a broken file changes nothing, says why, and is mended by the next write", async () => {
  await using manifests = follow();
  manifests.write("broken.yaml", configMap("kept", "1"));
  await eventually(async () => expect(await value("kept")).toBe("1"));
  manifests.write("broken.yaml", "apiVersion: v1\nkind: [");
  await eventually(async () => expect(await applied("broken")).toMatchObject({ status: "False", reason: "ParseFailed", message: expect.stringContaining("nothing was changed") }));
  expect(await value("kept")).toBe("1");
  await eventually(() => expect(manifests.events).toContainEqual(expect.stringMatching(/^broken Warning ParseManifestFailed Parse manifest at ".*broken\.yaml" failed: error converting YAML to JSON/)));
  manifests.write("broken.yaml", `${configMap("kept", "2")}---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: {value: 1}\n`);
  await eventually(async () => expect(await applied("broken")).toMatchObject({ status: "False", reason: "ApplyFailed", message: expect.stringContaining("ConfigMap default/bad: ") }));
  expect(await value("kept")).toBe("2");
  manifests.write("broken.yaml", configMap("kept", "3"));
  await eventually(async () => expect([await value("kept"), (await applied("broken"))?.status]).toEqual(["3", "True"]));
});

test("skip files, hidden files and impossible names are left alone; a moved object is not pruned by the file it left", async () => {
  await using manifests = follow();
  manifests.write("first.yaml", configMap("moving", "1"));
  await eventually(async () => expect(await value("moving")).toBe("1"));
  manifests.write("first.yaml.skip", "");
  manifests.write(".hidden.yaml", configMap("hidden", "1"));
  manifests.write("No_Name.yaml", configMap("nameless", "1"));
  manifests.write("first.yaml", configMap("moving", "2"));
  manifests.write("second.yaml", configMap("moving", "3"));
  await eventually(async () => expect(await value("moving")).toBe("3"));
  expect([await value("hidden"), await value("nameless")]).toEqual([undefined, undefined]);
  expect(await applied("first")).toMatchObject({ status: "True" });
  manifests.remove("first.yaml");
  manifests.remove("first.yaml.skip");
  await eventually(async () => expect(await addon("first")).toBeUndefined());
  expect(await value("moving")).toBe("3");
});

test("a file that is replaced by renaming another over it is applied", async () => {
  await using manifests = follow();
  manifests.write("swap.yaml", configMap("swapped", "1"));
  await eventually(async () => expect(await value("swapped")).toBe("1"));
  manifests.write(".swap.new", configMap("swapped", "2"));
  renameSync(join(manifests.directory, ".swap.new"), join(manifests.directory, "swap.yaml"));
  await eventually(async () => expect(await value("swapped")).toBe("2"));
});

test("files that are there but can't be read keep what they brought, also over a restart; others are applied", async () => {
  await using manifests = follow();
  const at = (name: string): string => join(manifests.directory, name);
  for (const name of ["dangling", "circle", "broken-disk"]) manifests.write(`${name}.yaml`, configMap(name, "1"));
  await eventually(async () => expect(await Promise.all(["dangling", "circle", "broken-disk"].map(value))).toEqual(["1", "1", "1"]));
  await manifests.restart(() => {
    for (const [name, target] of [["dangling", "/nonexistent/file"], ["circle", at("circle.yaml")], ["broken-disk", "/proc/self/mem"]] as const) {
      rmSync(at(`${name}.yaml`));
      symlinkSync(target, at(`${name}.yaml`));
    }
    manifests.write("beside.yaml", configMap("beside", "1"));
  });
  await eventually(async () => expect([await value("beside"), (await applied("broken-disk"))?.reason]).toEqual(["1", "ReadFailed"]));
  await eventually(() => expect(manifests.events).toContainEqual(expect.stringMatching(/^broken-disk Warning ReadManifestFailed Read manifest at ".*broken-disk\.yaml" failed: /)));
  expect(await Promise.all(["dangling", "circle", "broken-disk"].map(value))).toEqual(["1", "1", "1"]);
  for (const name of ["dangling", "circle", "broken-disk"]) manifests.remove(`${name}.yaml`);
  await eventually(async () => expect(await Promise.all(["dangling", "circle", "broken-disk"].map(value))).toEqual([undefined, undefined, undefined]));
});

test("a file that is empty all of a sudden changes nothing", async () => {
  await using manifests = follow();
  manifests.write("torn.yaml", configMap("torn", "1"));
  await eventually(async () => expect(await applied("torn")).toMatchObject({ status: "True" }));
  for (const content of ["", "\0\0\0\0\n"]) {
    manifests.write("torn.yaml", content);
    await eventually(async () => expect(await applied("torn")).toMatchObject({ status: "False", reason: "ParseFailed", message: expect.stringContaining("the file is empty") }));
    expect(await value("torn")).toBe("1");
    manifests.write("torn.yaml", configMap("torn", "1"));
    await eventually(async () => expect(await applied("torn")).toMatchObject({ status: "True" }));
  }
});

test("an object that two files have lives on when one of them gives it up, and is as the other says", async () => {
  await using manifests = follow();
  manifests.write("left.yaml", configMap("common", "left"));
  await eventually(async () => expect(await value("common")).toBe("left"));
  const { uid } = (await find(configmaps, "common"))!.metadata;
  manifests.write("right.yaml", configMap("common", "right"));
  await eventually(async () => expect(await value("common")).toBe("right"));
  manifests.remove("right.yaml");
  await eventually(async () => expect([await value("common"), await addon("right")]).toEqual(["left", undefined]));

  // It moves to a file whose turn comes later, in one go.
  await manifests.restart(() => {
    manifests.write("left.yaml", configMap("other", "1"));
    manifests.write("zuletzt.yaml", configMap("common", "moved"));
  });
  await eventually(async () => expect([await value("common"), await value("other"), (await addon("left"))!.status!.objects!.length]).toEqual(["moved", "1", 1]));
  expect((await find(configmaps, "common"))!.metadata.uid).toBe(uid!);
});

test("an AddOn that is deleted is made anew from its file", async () => {
  await using manifests = follow();
  manifests.write("again.yaml", configMap("again", "1"));
  await eventually(async () => expect(await applied("again")).toMatchObject({ status: "True" }));
  const { uid } = (await addon("again"))!.metadata;
  await server.client().delete(server.registry.cards.find(({ resource }) => resource === "addons")!, { namespace: "kube-system", name: "again" });
  await eventually(async () => expect(await applied("again")).toMatchObject({ status: "True" }));
  expect((await addon("again"))!.metadata.uid).not.toBe(uid!);
  manifests.write("again.yaml", configMap("instead", "1"));
  await eventually(async () => expect([await value("again"), await value("instead")]).toEqual([undefined, "1"]));
});

test("who deletes the definition of AddOns gets it back, with an AddOn for each file", async () => {
  await using manifests = follow();
  manifests.write("defined.yaml", configMap("defined", "1"));
  await eventually(async () => expect(await applied("defined")).toMatchObject({ status: "True" }));
  const definition = async () => (await find(customresourcedefinitions, "addons.addons.skiff.io"))?.metadata.uid;
  const before = await definition();
  await server.client().delete(server.registry.cards.find(({ resource }) => resource === "customresourcedefinitions")!, { name: "addons.addons.skiff.io" });
  await eventually(async () => expect([(await definition()) === before, (await applied("defined"))?.status]).toEqual([false, "True"]));
  expect(await value("defined")).toBe("1");
});

test("a directory that is replaced by another is followed; one that is gone prunes nothing", async () => {
  await using manifests = follow();
  manifests.write("old.yaml", configMap("old", "1"));
  await eventually(async () => expect(await value("old")).toBe("1"));
  renameSync(manifests.directory, `${manifests.directory}.old`);
  mkdirSync(manifests.directory);
  rmSync(`${manifests.directory}.old`, { recursive: true });
  manifests.write("old.yaml", configMap("old", "2"));
  await eventually(async () => expect(await value("old")).toBe("2"));
  manifests.write("old.yaml", configMap("old", "3"));
  await eventually(async () => expect(await value("old")).toBe("3"));
  rmSync(manifests.directory, { recursive: true });
  await manifests.restart(() => manifests.write("new.yaml", configMap("new", "1")));
  await eventually(async () => expect([await value("new"), await value("old")]).toEqual(["1", undefined]));
});

test("of two files with one name the one that was there first is taken", async () => {
  await using manifests = follow();
  manifests.write("twin.yaml", configMap("twin", "first"));
  await eventually(async () => expect(await value("twin")).toBe("first"));
  await manifests.restart(() => {
    manifests.write("twin.json", JSON.stringify({ apiVersion: "v1", kind: "ConfigMap", metadata: { name: "twin" }, data: { value: "second" } }));
    manifests.write("twin.yaml", configMap("twin", "third"));
  });
  await eventually(async () => expect(await value("twin")).toBe("third"));
  manifests.remove("twin.yaml");
  await eventually(async () => expect(await value("twin")).toBe("second"));
});

test("a file with thousands of objects is applied and pruned; of many failures a few are told", async () => {
  await using manifests = follow();
  const many = (count: number, text: (i: number) => string): string => Array.from({ length: count }, (_, i) => text(i)).join("---\n");
  manifests.write("many.yaml", many(2000, (i) => configMap(`many-${i}`, "1")));
  await eventually(async () => expect(await applied("many")).toMatchObject({ status: "True" }));
  expect((await addon("many"))!.status!.objects).toHaveLength(2000);
  manifests.write("many.yaml", many(2000, (i) => `apiVersion: v1\nkind: ConfigMap\nmetadata: {name: many-${i}}\ndata: {value: 1}\n`));
  await eventually(async () => expect((await applied("many"))?.message).toEndWith("; and 1995 more"));
  manifests.remove("many.yaml");
  await eventually(async () => expect([await addon("many"), await value("many-0"), await value("many-1999")]).toEqual([undefined, undefined, undefined]));
}, 180_000);
