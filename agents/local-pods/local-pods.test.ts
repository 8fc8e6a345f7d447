import { expect, test } from "bun:test";
import type { Frozen } from "../../src/apimachinery/meta.ts";
import { pods } from "../../src/apis/core/pod/pod.ts";
import { services } from "../../src/apis/core/service/service.ts";
import { endpointslices } from "../../src/apis/discovery/endpointslice.ts";
import type { Pod, PodStatus, Service } from "../../src/apis/generated/core/v1.ts";
import type { Endpoint, EndpointSlice } from "../../src/apis/generated/discovery/v1.ts";
import type { InformerFactory } from "../../src/client/informer.ts";
import { fakeInformer } from "../../test/support/fake-informer.ts";
import { withLocalPods } from "./local-pods.ts";

const ready = (status: "True" | "False", ...ips: string[]): PodStatus => ({ phase: "Running", podIP: ips[0], podIPs: ips.map((ip) => ({ ip })), conditions: [{ type: "Ready", status }] });
const endpoint = (uid: string, address: string, nodeName: string, conditions = { ready: true, serving: true, terminating: false }): Endpoint => ({ addresses: [address], nodeName, conditions, targetRef: { kind: "Pod", name: uid, uid } });
const slice = (name: string, endpoints: Endpoint[], more: Partial<EndpointSlice> = {}): EndpointSlice => ({
  metadata: { name, namespace: "d", labels: { "kubernetes.io/service-name": "web", "endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io" } },
  addressType: "IPv4", endpoints, ports: [], ...more,
});

function setUp(service: Partial<Service["spec"]> = {}) {
  const bases = {
    pods: fakeInformer<Pod>(), services: fakeInformer<Service>({ metadata: { name: "web", namespace: "d" }, spec: service as Service["spec"] }), endpointslices: fakeInformer<EndpointSlice>(),
  };
  const statuses = new Map<string, PodStatus>(), handlers: ((uid: string) => void)[] = [];
  const informers = withLocalPods({ informer: ({ resource }: { resource: keyof typeof bases }) => bases[resource] } as unknown as InformerFactory, {
    get: (uid) => statuses.get(uid), onChange: (handler) => handlers.push(handler),
  }, "here");
  const say = (uid: string, status: PodStatus | undefined): void => {
    if (status) statuses.set(uid, status);
    else statuses.delete(uid);
    for (const handler of handlers) handler(uid);
  };
  return { bases, informers, say };
}

const shown = (found: Frozen<EndpointSlice> | undefined): string => (found?.endpoints ?? []).map(({ addresses, conditions }) => `${addresses.join()} ${conditions!.ready ? "ready" : conditions!.serving ? "serving" : "not ready"}`).join("; ");

test("endpoints of this node have the address and the readiness that its kubelet knows; others' are the server's", () => {
  const { bases, informers, say } = setUp();
  const informer = informers.informer(endpointslices);
  const told: string[] = [];
  informer.onChange((old, current) => told.push(`${shown(old)} → ${shown(current)}`));
  expect(informers.informer(endpointslices)).toBe(informer);
  bases.endpointslices.put(slice("web-1", [endpoint("a", "10.0.0.2", "here"), endpoint("b", "10.0.1.2", "there")]));
  const picture = (): string => shown(informer.lister.get("d/web-1"));
  expect(picture()).toBe("10.0.0.2 ready; 10.0.1.2 ready");

  // After a reboot, before the pod has begun: nobody knows better.
  say("a", ready("False", "10.0.0.9"));
  expect(picture()).toBe("10.0.0.9 not ready; 10.0.1.2 ready");
  say("a", ready("True", "10.0.0.9"));
  say("a", { ...ready("True", "10.0.0.9"), startTime: "later" });
  say("b", ready("False", "10.9.9.9"));
  expect(told).toEqual([" → 10.0.0.2 ready; 10.0.1.2 ready", "10.0.0.2 ready; 10.0.1.2 ready → 10.0.0.9 not ready; 10.0.1.2 ready", "10.0.0.9 not ready; 10.0.1.2 ready → 10.0.0.9 ready; 10.0.1.2 ready"]);
  expect(shown(informer.lister.list()[0])).toBe("10.0.0.9 ready; 10.0.1.2 ready");
  expect(shown(bases.endpointslices.lister.get("d/web-1"))).toBe("10.0.0.2 ready; 10.0.1.2 ready");

  // The server took the node for dead, and the other endpoint has gone.
  bases.endpointslices.put(slice("web-1", [endpoint("a", "10.0.0.2", "here", { ready: false, serving: false, terminating: false })]));
  expect(picture()).toBe("10.0.0.9 ready");
  // Late subscribers see the same.
  const late: string[] = [];
  informer.onChange((_, current) => late.push(shown(current)));
  expect(late).toEqual(["10.0.0.9 ready"]);

  say("a", undefined);
  expect(picture()).toBe("10.0.0.2 not ready");
  bases.endpointslices.remove("d/web-1");
  expect([informer.lister.list(), told.at(-1)]).toEqual([[], "10.0.0.2 not ready → "]);
  say("a", ready("True", "10.0.0.9"));
  expect(told.at(-1)).toBe("10.0.0.2 not ready → ");
});

test("the rules of the EndpointSlice controller hold", () => {
  const picture = (from: EndpointSlice, status: PodStatus, service: Partial<Service["spec"]> = {}): string => {
    const { bases, informers, say } = setUp(service);
    const informer = informers.informer(endpointslices);
    bases.endpointslices.put(from);
    say("a", status);
    return shown(informer.lister.get("d/web-1"));
  };
  expect(picture(slice("web-1", [endpoint("a", "10.0.0.2", "here", { ready: false, serving: true, terminating: true })]), ready("True", "10.0.0.2"))).toBe("10.0.0.2 serving");
  expect(picture(slice("web-1", [endpoint("a", "10.0.0.2", "here")]), ready("False", "10.0.0.2"), { publishNotReadyAddresses: true })).toBe("10.0.0.2 ready");
  expect(picture(slice("web-1", [endpoint("a", "fd00::2", "here")], { addressType: "IPv6" }), ready("True", "10.0.0.9", "fd00::9"))).toBe("fd00::9 ready");
  // No address yet: that of old is as good as any, and nobody is sent to it.
  expect(picture(slice("web-1", [endpoint("a", "10.0.0.2", "here")]), { phase: "Pending" })).toBe("10.0.0.2 not ready");
  const byHand = slice("web-1", [endpoint("a", "10.0.0.2", "here")]);
  byHand.metadata.labels!["endpointslice.kubernetes.io/managed-by"] = "somebody";
  expect(picture(byHand, ready("False", "10.0.0.9"))).toBe("10.0.0.2 ready");
});

test("pods of this node have the status that their kubelet knows, and conditions of others", () => {
  const { bases, informers, say } = setUp();
  const informer = informers.informer(pods, { fieldSelector: "spec.nodeName=here" });
  const pod = (name: string, nodeName: string): Pod => ({ metadata: { name, namespace: "d", uid: name }, spec: { nodeName, containers: [] }, status: { phase: "Running", podIP: "10.0.0.2", conditions: [{ type: "Ready", status: "True" }, { type: "gate", status: "True" }] } });
  bases.pods.put(pod("a", "here"));
  bases.pods.put(pod("b", "there"));
  say("a", ready("False", "10.0.0.9"));
  say("b", ready("False", "10.0.0.9"));
  expect(informer.lister.get("d/a")!.status).toEqual({ phase: "Running", podIP: "10.0.0.9", podIPs: [{ ip: "10.0.0.9" }], conditions: [{ type: "Ready", status: "False" }, { type: "gate", status: "True" }] });
  expect(informer.lister.list().map(({ status }) => status!.podIP)).toEqual(["10.0.0.9", "10.0.0.2"]);
  expect(informers.informer(services)).toBe(bases.services);
});
