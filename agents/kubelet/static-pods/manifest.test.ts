import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../../../src/base/clock.ts";
import { logger } from "../../../src/base/log.ts";
import type { Pod } from "../pod/pod.ts";
import { readManifest } from "./manifest.ts";
import { Manifests } from "./manifests.ts";
import { planMirror } from "./mirror-pods.ts";

const yaml = (name: string, more = "", image = "busybox"): string => `apiVersion: v1\nkind: Pod\nmetadata: { name: ${name} }\nspec:\n  containers: [{ name: main, image: "${image}" }]\n${more}`;
const origin = { path: "/pods/a.yaml", nodeName: "node-1" };
const read = (text: string): Pod => readManifest(text, origin).pod;

describe("a manifest", () => {
  test("becomes a pod of the node, whose uid follows from its content", () => {
    const pod = read(yaml("web"));
    expect(pod.metadata).toMatchObject({ name: "web-node-1", namespace: "default", annotations: { "kubernetes.io/config.source": "file", "kubernetes.io/config.hash": pod.metadata.uid! } });
    expect(pod.metadata.uid).toMatch(/^[0-9a-f]{32}$/);
    expect(pod.spec).toMatchObject({ nodeName: "node-1", restartPolicy: "Always", terminationGracePeriodSeconds: 30, tolerations: [{ operator: "Exists", effect: "NoExecute" }] });
    expect(read(yaml("web")).metadata.uid).toBe(pod.metadata.uid);
    expect(read(yaml("web", "", "busybox:2")).metadata.uid).not.toBe(pod.metadata.uid);
    expect(readManifest(yaml("web"), { ...origin, path: "/pods/b.yaml" }).pod.metadata.uid).not.toBe(pod.metadata.uid);
  });
  test("has the priority of its class also where no API tells it", () => expect(read(yaml("web", "  priorityClassName: system-node-critical")).spec.priority).toBe(2_000_001_000));
  test("is warned of where it says what nobody understands", () => expect(readManifest(yaml("web", "  colour: red"), origin).warnings).toEqual(['unknown field "spec.colour"']));

  test.each([
    ["another kind", "apiVersion: apps/v1\nkind: Deployment\n", "one object of apiVersion v1 and kind Pod"],
    ["nothing", "", "one object of apiVersion v1 and kind Pod"],
    ["no YAML", "a: [", ""],
    ["no name", "apiVersion: v1\nkind: Pod\nspec: {}\n", "name is needed"],
    ["no container", "apiVersion: v1\nkind: Pod\nmetadata: { name: a }\nspec: {}\n", "spec.containers: Required value"],
    ["a service account", yaml("a", "  serviceAccountName: x"), "may not reference serviceaccounts"],
    ["a secret's volume", yaml("a", "  volumes: [{ name: v, secret: { secretName: x } }]"), "may not reference secrets (via secret volumes)"],
    ["a ConfigMap in its environment", "apiVersion: v1\nkind: Pod\nmetadata: { name: a }\nspec: { containers: [{ name: m, image: x, env: [{ name: A, value: b }], envFrom: [{ configMapRef: { name: c } }] }] }", "may not reference configmaps"],
    ["a claim", yaml("a", "  volumes: [{ name: v, persistentVolumeClaim: { claimName: x } }]"), "may not reference persistentvolumeclaims"],
  ])("is refused with %s", (_, text, message) => expect(() => read(text)).toThrow(message));
});

describe("files", () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), "skiff-static-"));
  });
  afterEach(() => rmSync(directory, { recursive: true }));
  const names = (manifests: Manifests): string[] => manifests.read().map(({ metadata: { name } }) => name!);
  const put = (name: string, text: string): void => writeFileSync(join(directory, name), text);

  test("that make no sense any more leave the pod as it was, until they go", () => {
    const manifests = new Manifests({ path: directory, nodeName: "n", clock: systemClock, log: logger("test") });
    put("a.yaml", yaml("a"));
    put("b.yaml", "kind: [");
    put(".hidden.yaml", yaml("hidden"));
    expect(names(manifests)).toEqual(["a-n"]);
    put("a.yaml", "kind: Pod\nspec:");
    expect(names(manifests)).toEqual(["a-n"]);
    put("b.yaml", yaml("b"));
    expect(names(manifests)).toEqual(["a-n", "b-n"]);
    rmSync(join(directory, "a.yaml"));
    expect(names(manifests)).toEqual(["b-n"]);
  });

  test("of one name: the first counts", () => {
    put("a.yaml", yaml("same", "", "one"));
    put("b.yaml", yaml("same", "", "two"));
    const pods = new Manifests({ path: directory, nodeName: "n", clock: systemClock, log: logger("test") }).read();
    expect(pods.map(({ spec }) => spec.containers[0]!.image)).toEqual(["one"]);
  });

  test("one file alone may be named", () => {
    put("a.yaml", yaml("a"));
    put("b.yaml", yaml("b"));
    expect(names(new Manifests({ path: join(directory, "b.yaml"), nodeName: "n", clock: systemClock, log: logger("test") }))).toEqual(["b-n"]);
  });
});

describe("planMirror", () => {
  const pod = read(yaml("web"));
  const mirror = (hash: string, more: Partial<Pod["metadata"]> = {}): Pod => ({ metadata: { ...more, annotations: { "kubernetes.io/config.mirror": hash } }, spec: { containers: [] } });
  test.each<[string, Pod | undefined, Pod | undefined, string | undefined]>([
    ["no mirror yet", pod, undefined, "create"],
    ["of the same hash", pod, mirror(pod.metadata.uid!), undefined],
    ["of another hash", pod, mirror("old"), "delete"],
    ["being deleted", pod, mirror(pod.metadata.uid!, { deletionTimestamp: "2026-01-01T00:00:00Z" }), "delete"],
    ["of no pod", undefined, mirror("old"), "delete"],
    ["nothing at all", undefined, undefined, undefined],
  ])("%s", (_, of, found, expected) => expect(planMirror(of, found)).toBe(expected as never));
});
