import { describe, expect, test } from "bun:test";
import type { Pod } from "../../apis/generated/core/v1.ts";
import { fakeInformer } from "../../../test/support/fake-informer.ts";
import { listersOf } from "../../registry/testing/admission.ts";
import { nodeAuthorizer } from "./node.ts";

const pod = (name: string, nodeName: string | undefined, spec: Partial<Pod["spec"]> = {}, annotations: Record<string, string> = {}): Pod =>
  ({ metadata: { name, namespace: "ns", annotations }, spec: { ...(nodeName ? { nodeName } : {}), serviceAccountName: "sa", containers: [], ...spec } });

const pods = fakeInformer(
  pod("web", "n1", {
    imagePullSecrets: [{ name: "pull" }],
    containers: [{ name: "c", env: [{ name: "E", valueFrom: { secretKeyRef: { name: "env", key: "k" } } }], envFrom: [{ configMapRef: { name: "from" } }] }],
    volumes: [{ name: "s", secret: { secretName: "vol" } }, { name: "p", projected: { sources: [{ configMap: { name: "proj" } }] } }, { name: "c", persistentVolumeClaim: { claimName: "claim" } }],
  }),
  pod("mirror", "n1", { volumes: [{ name: "s", secret: { secretName: "stolen" } }] }, { "kubernetes.io/config.mirror": "x" }),
  pod("elsewhere", "n2", { volumes: [{ name: "s", secret: { secretName: "theirs" } }] }),
);
pods.put({ ...pod("devices", "n1", { resourceClaims: [{ name: "own", resourceClaimName: "gpu" }, { name: "made", resourceClaimTemplateName: "t" }] }), status: { resourceClaimStatuses: [{ name: "made", resourceClaimName: "devices-made-x" }] } });
const listers = listersOf({
  persistentvolumes: [
    { metadata: { name: "bound" }, spec: { claimRef: { namespace: "ns", name: "claim" }, csi: { driver: "d", volumeHandle: "h", nodeStageSecretRef: { namespace: "csi", name: "stage" } } } } as never,
    { metadata: { name: "other" }, spec: { claimRef: { namespace: "ns", name: "theirs" }, csi: { driver: "d", volumeHandle: "h", nodeStageSecretRef: { namespace: "csi", name: "their-stage" } } } } as never,
  ],
  volumeattachments: [{ metadata: { name: "a1" }, spec: { nodeName: "n1" } } as never, { metadata: { name: "a2" }, spec: { nodeName: "n2" } } as never],
  resourceslices: [{ metadata: { name: "s1" }, spec: { nodeName: "n1" } } as never, { metadata: { name: "s2" }, spec: { nodeName: "n2" } } as never],
});
const authorizer = nodeAuthorizer({ pods, listers });

function may(text: string, { user = "system:node:n1", groups = ["system:nodes"], fieldSelector = "" } = {}): boolean {
  const [verb = "", path = "", namespace = "", name = ""] = text.split(" ");
  const [qualified = "", subresource = ""] = path.split("/");
  const dot = qualified.indexOf(".");
  const resource = dot < 0 ? qualified : qualified.slice(0, dot), group = dot < 0 ? "" : qualified.slice(dot + 1);
  return authorizer.authorize({ user: { name: user, groups }, verb, group, version: "v1", resource, subresource, namespace: namespace === "-" ? "" : namespace, name, ...(fieldSelector ? { fieldSelector } : {}) }).allowed;
}

describe("a node", () => {
  test.each([
    "get secrets ns pull", "get secrets ns env", "watch secrets ns vol", "list configmaps ns from", "get configmaps ns proj", "get persistentvolumeclaims ns claim", "watch persistentvolumeclaims ns claim", "list persistentvolumeclaims ns claim",
    "create serviceaccounts/token ns sa", "get serviceaccounts ns sa", "get pods ns web", "get pods ns mirror", "update pods/status ns web", "patch pods/status ns web", "create pods/eviction ns web", "delete pods ns web", "create pods ns",
    "get nodes - n1", "watch nodes - n1", "patch nodes/status - n1", "create nodes -", "create leases.coordination.k8s.io kube-node-lease", "update leases.coordination.k8s.io kube-node-lease n1",
    "get persistentvolumes - bound", "get secrets csi stage", "get volumeattachments.storage.k8s.io - a1", "update persistentvolumeclaims/status ns claim",
    "get resourceclaims.resource.k8s.io ns gpu", "get resourceclaims.resource.k8s.io ns devices-made-x", "create resourceslices.resource.k8s.io -", "delete resourceslices.resource.k8s.io - s1",
    "get csinodes.storage.k8s.io - n1", "create csinodes.storage.k8s.io -",
    // Which node it is, admission looks at.
    "patch nodes/status - n2",
    "create events ns", "list services -", "create tokenreviews.authentication.k8s.io -", "get runtimeclasses.node.k8s.io - gvisor",
  ])("may %s", (text) => expect(may(text)).toBe(true));

  test.each([
    "get secrets ns theirs", "get secrets ns stolen", "get secrets other vol", "list secrets ns", "list secrets -", "update secrets ns vol", "delete configmaps ns from",
    "create serviceaccounts/token ns other", "list pods -", "get pods ns elsewhere", "update pods ns web", "get pods/log ns web", "create pods/exec ns web", "create pods/binding ns web",
    "get nodes - n2", "list nodes -", "get nodes/status - n1", "delete nodes - n1", "get nodes/proxy - n1", "update leases.coordination.k8s.io ns n1", "update leases.coordination.k8s.io kube-node-lease n2",
    "get persistentvolumes - other", "list persistentvolumes -", "get secrets csi their-stage", "get volumeattachments.storage.k8s.io - a2", "update persistentvolumeclaims ns claim", "update persistentvolumeclaims/status ns theirs", "watch persistentvolumeclaims ns theirs", "list persistentvolumeclaims ns", "watch persistentvolumeclaims -",
    "get resourceclaims.resource.k8s.io ns theirs", "list resourceclaims.resource.k8s.io ns", "delete resourceslices.resource.k8s.io - s2", "list resourceslices.resource.k8s.io -", "get csinodes.storage.k8s.io - n2", "get leases.coordination.k8s.io kube-node-lease n2",
    "list deployments.apps ns", "create clusterrolebindings.rbac.authorization.k8s.io -",
  ])("may not %s", (text) => expect(may(text)).toBe(false));

  test("lists its own pods alone", () => {
    expect(may("list pods -", { fieldSelector: "spec.nodeName=n1" })).toBe(true);
    expect(may("watch pods ns", { fieldSelector: "status.phase!=Failed,spec.nodeName=n1" })).toBe(true);
    expect(may("list pods -", { fieldSelector: "spec.nodeName=n2" })).toBe(false);
    expect(may("list pods -", { fieldSelector: "spec.nodeName!=n1" })).toBe(false);
  });

  test("lists the resource slices of its own alone", () => {
    expect(may("list resourceslices.resource.k8s.io -", { fieldSelector: "spec.nodeName=n1" })).toBe(true);
    expect(may("deletecollection resourceslices.resource.k8s.io -", { fieldSelector: "spec.nodeName=n2" })).toBe(false);
  });

  test("is one by its name and its group", () => {
    expect(may("get nodes - n1", { groups: [] })).toBe(false);
    expect(may("get nodes - n1", { user: "n1" })).toBe(false);
    expect(may("get nodes - ", { user: "system:node:" })).toBe(false);
  });
});

test("what a pod opened is closed when its last user goes", () => {
  pods.put(pod("second", "n1", { volumes: [{ name: "s", secret: { secretName: "shared" } }] }));
  pods.put(pod("third", undefined, { volumes: [{ name: "s", secret: { secretName: "shared" } }] }));
  expect(may("get secrets ns shared", { user: "system:node:n3" })).toBe(false);
  pods.put(pod("third", "n1", { volumes: [{ name: "s", secret: { secretName: "shared" } }] }));
  pods.remove("ns/second");
  expect(may("get secrets ns shared")).toBe(true);
  pods.remove("ns/third");
  expect(may("get secrets ns shared")).toBe(false);
});
