import { expect, test } from "bun:test";
import type { KubeObject } from "../../apimachinery/meta.ts";
import type { AnyResource } from "../../apimachinery/resource.ts";
import { persistentvolumeclaims, persistentvolumes, pods, serviceaccounts } from "../../apis/builtins.ts";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { startControlPlane, type ControlPlane } from "../../../test/support/control-plane.ts";
import { eventually } from "../../../test/support/eventually.ts";

const merge = "application/merge-patch+json" as const;
const namespace = "default";
const start = (): Promise<ControlPlane> => startControlPlane({ select: ({ name }) => /^pvc?-protection-controller$|^service-account-controller$/.test(name) });
const names = (plane: ControlPlane, card: AnyResource): string[] => plane.list<KubeObject>(card).map(({ metadata }) => metadata.name!);

test("a claim goes once no pod on a node uses it", async () => {
  await using plane = await start();
  const { client } = plane;
  await eventually(() => expect(names(plane, serviceaccounts)).toContain("default"));
  for (const name of ["used", "waited-for", "p-scratch"]) {
    await client.create(persistentvolumeclaims, { ...persistentvolumeclaims.example!(), metadata: { name, namespace, finalizers: ["kubernetes.io/pvc-protection"] } });
  }
  const pod = (name: string, volumes: NonNullable<Pod["spec"]>["volumes"], nodeName?: string): Pod =>
    ({ apiVersion: "v1", kind: "Pod", metadata: { name, namespace, finalizers: ["example.com/hold"] }, spec: { nodeName, containers: [{ name: "c", image: "i" }], volumes } });
  await client.create(pods, pod("p", [{ name: "data", persistentVolumeClaim: { claimName: "used" } }, { name: "scratch", ephemeral: { volumeClaimTemplate: { spec: persistentvolumeclaims.example!().spec! } } }], "node-1"));
  await client.create(pods, pod("waits", [{ name: "data", persistentVolumeClaim: { claimName: "waited-for" } }]));
  const owner = { apiVersion: "v1", kind: "Pod", name: "p", uid: (await client.get(pods, { namespace, name: "p" })).metadata.uid!, controller: true };
  await client.patch(persistentvolumeclaims, { namespace, name: "p-scratch" }, { type: merge, body: { metadata: { ownerReferences: [owner] } } });

  for (const name of ["used", "waited-for", "p-scratch"]) await client.delete(persistentvolumeclaims, { namespace, name });
  await eventually(() => expect(names(plane, persistentvolumeclaims)).toEqual(["p-scratch", "used"]));
  // What was made for a pod waits no longer than its kubelet; what it only uses, until it is gone.
  await client.delete(pods, { namespace, name: "p" }, { gracePeriodSeconds: 0 });
  await eventually(() => expect(names(plane, persistentvolumeclaims)).toEqual(["used"]));
  await client.patch(pods, { namespace, name: "p" }, { type: merge, body: { metadata: { finalizers: null } } });
  await eventually(() => expect(names(plane, persistentvolumeclaims)).toEqual([]));
});

test("a volume goes unless it is bound", async () => {
  await using plane = await start();
  const { client } = plane;
  const setPhase = (name: string, phase: string) => client.patch(persistentvolumes, { name }, { type: merge, body: { status: { phase } } }, { subresource: "status" });
  for (const name of ["bound", "free"]) await client.create(persistentvolumes, { ...persistentvolumes.example!(), metadata: { name, finalizers: ["kubernetes.io/pv-protection"] } });
  await setPhase("bound", "Bound");
  for (const name of ["bound", "free"]) await client.delete(persistentvolumes, { name });
  await eventually(() => expect(names(plane, persistentvolumes)).toEqual(["bound"]));
  await setPhase("bound", "Released");
  await eventually(() => expect(names(plane, persistentvolumes)).toEqual([]));
});

test("what lost its protection gets it again", async () => {
  await using plane = await start();
  const { client } = plane;
  await client.create(persistentvolumes, { ...persistentvolumes.example!(), metadata: { name: "v" } });
  await client.create(persistentvolumeclaims, { ...persistentvolumeclaims.example!(), metadata: { name: "c", namespace } });
  const finalizers = (card: AnyResource): unknown => plane.list<KubeObject>(card)[0]!.metadata.finalizers;
  for (const [card, key, expected] of [[persistentvolumes, { name: "v" }, "kubernetes.io/pv-protection"], [persistentvolumeclaims, { namespace, name: "c" }, "kubernetes.io/pvc-protection"]] as const) {
    expect(finalizers(card)).toEqual([expected]);
    await client.patch<any>(card, key, { type: merge, body: { metadata: { finalizers: ["example.com/other"] } } });
    await eventually(() => expect(finalizers(card)).toEqual(["example.com/other", expected]));
  }
});
