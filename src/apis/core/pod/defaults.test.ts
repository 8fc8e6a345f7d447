import { describe, expect, test } from "bun:test";
import type { Container, Pod, PodSpec } from "../../generated/core/v1.ts";
import { defaultPod, defaultPodTemplate } from "./defaults.ts";
import { imageTag } from "./image-name.ts";
import { pods } from "./pod.ts";
import { qosClassOf } from "./qos.ts";
import { aggregatedRequests, podRequests } from "./resources.ts";
import { anyone } from "../../testing/anyone.ts";

const pod = (spec: Partial<PodSpec>): Pod => ({ metadata: { name: "p", namespace: "default" }, spec: { containers: [{ name: "c", image: "nginx:1.27" }], ...spec } });
const defaulted = (spec: Partial<PodSpec>): PodSpec => {
  const object = pod(spec);
  defaultPod(object);
  return object.spec;
};
const container = (fields: Partial<Container>): Container => defaulted({ containers: [{ name: "c", image: "nginx:1.27", ...fields }] }).containers[0]!;

test("a pod's defaults, as kubectl shows them for the smallest pod", () => {
  expect(defaulted({})).toEqual({
    containers: [{ name: "c", image: "nginx:1.27", imagePullPolicy: "IfNotPresent", terminationMessagePath: "/dev/termination-log", terminationMessagePolicy: "File", resources: {} }],
    dnsPolicy: "ClusterFirst", enableServiceLinks: true, restartPolicy: "Always", schedulerName: "default-scheduler", securityContext: {}, terminationGracePeriodSeconds: 30,
  });
});

test("a template does not get what only a pod gets", () => {
  const template = { spec: { hostNetwork: true, containers: [{ name: "c", ports: [{ containerPort: 80 }], resources: { limits: { cpu: "1" } } }] } as PodSpec };
  defaultPodTemplate(template);
  expect(template.spec.enableServiceLinks).toBeUndefined();
  expect(template.spec.containers[0]!.ports).toEqual([{ containerPort: 80, protocol: "TCP" }]);
  expect(template.spec.containers[0]!.resources).toEqual({ limits: { cpu: "1" } });
});

test("a negative grace period counts as one second, in a pod", () => {
  expect(defaulted({ terminationGracePeriodSeconds: -1 }).terminationGracePeriodSeconds).toBe(1);
  expect(defaulted({ terminationGracePeriodSeconds: 0 }).terminationGracePeriodSeconds).toBe(0);
  const template = { spec: pod({ terminationGracePeriodSeconds: -1 }).spec };
  defaultPodTemplate(template);
  expect(template.spec.terminationGracePeriodSeconds).toBe(-1);
});

test("defaulting twice changes nothing", () => {
  const object = pod({ hostNetwork: true, serviceAccount: "robot", volumes: [{ name: "v" }, { name: "s", secret: { secretName: "x" } }], containers: [{ name: "c", image: "a", ports: [{ containerPort: 1 }], livenessProbe: { httpGet: { port: 1 } } }] });
  defaultPod(object);
  const once = structuredClone(object);
  defaultPod(object);
  expect(object).toEqual(once);
  expect(object.spec.serviceAccountName).toBe("robot");
});

test.each([
  ["nginx", "latest"],
  ["nginx:latest", "latest"],
  ["nginx:1.27", "1.27"],
  ["localhost:5000/nginx", "latest"],
  ["localhost:5000/nginx:2", "2"],
  [`nginx@sha256:${"0".repeat(32)}`, ""],
  [`nginx:1@sha256:${"0".repeat(32)}`, "1"],
  ["No Reference!", ""],
])("the tag of %s is %p", (image, tag) => expect(imageTag(image)).toBe(tag));

describe("containers", () => {
  test("pull policy follows the tag unless given", () => {
    expect(container({ image: "nginx" }).imagePullPolicy).toBe("Always");
    expect(container({ image: "nginx:latest", imagePullPolicy: "Never" }).imagePullPolicy).toBe("Never");
  });
  test("probes", () => {
    expect(container({ readinessProbe: { httpGet: { port: 80 } } }).readinessProbe).toEqual({ httpGet: { port: 80, path: "/", scheme: "HTTP" }, timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3 });
    expect(container({ livenessProbe: { exec: { command: ["x"] }, periodSeconds: 3 } }).livenessProbe).toMatchObject({ periodSeconds: 3, timeoutSeconds: 1 });
  });
  test("hooks and environment", () => {
    expect(container({ lifecycle: { preStop: { httpGet: { port: "web" } } } }).lifecycle!.preStop!.httpGet).toEqual({ port: "web", path: "/", scheme: "HTTP" });
    expect(container({ env: [{ name: "IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } }] }).env![0]!.valueFrom!.fieldRef!.apiVersion).toBe("v1");
  });
  test("requests are taken from limits, one resource at a time, and rounded up to a thousandth", () => {
    expect(container({ resources: { limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "100m" } } }).resources).toEqual({ limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "100m", memory: "1Gi" } });
    expect(container({ resources: { requests: { cpu: "100u" } } }).resources!.requests).toEqual({ cpu: "1m" });
  });
  test("on the host's network, host ports are the container's", () => {
    expect(defaulted({ hostNetwork: true, containers: [{ name: "c", ports: [{ containerPort: 80 }] }] }).containers[0]!.ports).toEqual([{ containerPort: 80, hostPort: 80, protocol: "TCP" }]);
  });
});

test("volumes", () => {
  const sources = [{ serviceAccountToken: { path: "token" } }, { downwardAPI: { items: [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }] } }];
  expect(defaulted({ volumes: [{ name: "a" }, { name: "b", hostPath: { path: "/x" } }, { name: "c", configMap: { name: "m" } }, { name: "d", projected: { sources } }] }).volumes).toEqual([
    { name: "a", emptyDir: {} },
    { name: "b", hostPath: { path: "/x", type: "" } },
    { name: "c", configMap: { name: "m", defaultMode: 420 } },
    { name: "d", projected: { defaultMode: 420, sources: [{ serviceAccountToken: { path: "token", expirationSeconds: 3600 } }, { downwardAPI: { items: [{ path: "labels", fieldRef: { apiVersion: "v1", fieldPath: "metadata.labels" } }] } }] } },
  ]);
});

describe("quality of service", () => {
  const qos = (...resources: Container["resources"][]): string => {
    const object = pod({ containers: resources.map((one, index) => ({ name: `c${index}`, image: "i", resources: one })) });
    defaultPod(object);
    return qosClassOf(object);
  };
  test.each([
    ["nothing asked", [{}], "BestEffort"],
    ["only other resources", [{ limits: { "ephemeral-storage": "1Gi" } }], "BestEffort"],
    ["a request", [{ requests: { cpu: "1m" } }], "Burstable"],
    ["limits of one kind", [{ limits: { cpu: "1" } }], "Burstable"],
    ["limits of both", [{ limits: { cpu: "1", memory: "1Gi" } }], "Guaranteed"],
    ["requests below limits", [{ limits: { cpu: "1", memory: "1Gi" }, requests: { memory: "1Mi" } }], "Burstable"],
    ["one of two containers", [{ limits: { cpu: "1", memory: "1Gi" } }, {}], "Burstable"],
    ["equal in another spelling", [{ limits: { cpu: "1", memory: "1Gi" }, requests: { cpu: "1000m", memory: "1024Mi" } }], "Guaranteed"],
  ] as [string, Container["resources"][], string][])("%s", (_, resources, expected) => expect(qos(...resources)).toBe(expected));
});

test("what a pod asks of a node: containers and sidecars together, or an init container's peak", () => {
  const cpu = (name: string, amount: string, restartPolicy?: string): Container => ({ name, resources: { requests: { cpu: amount } }, ...(restartPolicy ? { restartPolicy } : {}) });
  const spec = { containers: [cpu("a", "100m"), cpu("b", "200m")], initContainers: [cpu("side", "50m", "Always"), cpu("init", "400m")] };
  expect(aggregatedRequests(spec)).toEqual({ cpu: "450m" });
  expect(podRequests({ metadata: {}, spec: { ...spec, overhead: { cpu: "10m" } } })).toEqual({ cpu: "460m" });
});

describe("a new pod", () => {
  test("is Pending, whatever status was sent", () => {
    const object = { ...pod({}), status: { phase: "Running" as const, podIP: "1.2.3.4" } };
    defaultPod(object);
    pods.strategy.prepareForCreate!(object, anyone);
    expect(object.status).toEqual({ phase: "Pending", qosClass: "BestEffort" } as never);
  });
  test("says so when it is gated", () => {
    const object = pod({ schedulingGates: [{ name: "example.com/wait" }] });
    pods.strategy.prepareForCreate!(object, anyone);
    expect(object.status!.conditions).toEqual([{ type: "PodScheduled", status: "False", reason: "SchedulingGated", message: "Scheduling is blocked due to non-empty scheduling gates" }]);
  });
  test("fills its own label values into its spread constraints", () => {
    const object = pod({ topologySpreadConstraints: [{ maxSkew: 1, topologyKey: "zone", whenUnsatisfiable: "DoNotSchedule", labelSelector: {}, matchLabelKeys: ["app", "absent"] }] });
    object.metadata.labels = { app: "web" };
    pods.strategy.prepareForCreate!(object, anyone);
    expect(object.spec.topologySpreadConstraints![0]!.labelSelector).toEqual({ matchExpressions: [{ key: "app", operator: "In", values: ["web"] }] });
  });
});

test.each([
  ["not scheduled", {}, "Pending", undefined, 0],
  ["scheduled", { nodeName: "n" }, "Running", undefined, 30],
  ["scheduled, as asked", { nodeName: "n" }, "Running", 5, 5],
  ["at once", { nodeName: "n" }, "Running", 0, 0],
  ["negative", { nodeName: "n" }, "Running", -1, 1],
  ["ended", { nodeName: "n" }, "Succeeded", 30, 0],
] as const)("grace of a pod %s", (_, spec, phase, requested, expected) => {
  const object = { ...pod({ terminationGracePeriodSeconds: 30, ...spec }), status: { phase } };
  expect(pods.strategy.gracePeriod!(object, requested)).toBe(expected);
});
