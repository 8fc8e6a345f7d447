import { describe, expect, test } from "bun:test";
import type { Container, EnvVar, Service } from "../../../src/apis/generated/core/v1.ts";
import type { Pod } from "../pod/pod.ts";
import { containerEnv, type EnvSources } from "./env.ts";
import { expand } from "./expansion.ts";
import { fieldValue } from "./field-ref.ts";
import { resourceFieldValue } from "./resource-field-ref.ts";
import { serviceEnv } from "./service-env.ts";

test.each([
  ["$(A)", "1"], ["x$(A)y$(B)z", "x1y2z"], ["$$(A)", "$(A)"], ["$$$(A)", "$1"], ["$(NONE)", "$(NONE)"], ["$(A", "$(A"], ["$", "$"], ["a$b", "a$b"], ["$()", "$()"], ["$(A)$", "1$"],
])("expand %s", (text, expected) => expect(expand(text, (name) => ({ A: "1", B: "2" })[name])).toBe(expected));

const pod: Pod = {
  metadata: { name: "p", namespace: "n", uid: "u", labels: { b: "2", a: 'say "1"' }, annotations: { k: "v" } },
  spec: { serviceAccountName: "sa", containers: [{ name: "c", resources: { limits: { cpu: "1500m" }, requests: { memory: "100Mi" } } }] },
};
const addresses = { podIps: ["10.0.0.2", "fd00::2"], hostIps: ["192.0.2.1"] };

test.each([
  ["metadata.name", "p"], ["metadata.namespace", "n"], ["metadata.uid", "u"], ["metadata.labels", 'a="say \\"1\\""\nb="2"'], ["metadata.labels['b']", "2"], ["metadata.annotations['none']", ""],
  ["spec.nodeName", "node"], ["spec.serviceAccountName", "sa"], ["status.podIP", "10.0.0.2"], ["status.podIPs", "10.0.0.2,fd00::2"], ["status.hostIP", "192.0.2.1"], ["spec.unknown", undefined],
])("fieldRef %s", (path, expected) => expect(fieldValue(pod, path, "node", addresses)).toBe(expected));

test.each([
  ["limits.cpu", undefined, "2"], ["limits.cpu", "1m", "1500"], ["limits.cpu", "0", "2"], ["requests.cpu", "1m", "1500"], ["limits.memory", "1Mi", "4096"], ["requests.memory", "1Mi", "100"], ["requests.memory", "1", "104857600"],
])("resourceFieldRef %s / %s", (resource, divisor, expected) => {
  expect(resourceFieldValue(pod, { resource, divisor }, pod.spec.containers[0], { cpu: "4", memory: "4Gi" })).toBe(expected);
});

test("a container without a limit may use what its pod may as a whole", () => {
  const whole = { ...pod, spec: { ...pod.spec, resources: { limits: { cpu: "3", memory: "64Mi" } } } };
  expect([["limits.cpu", "1"], ["limits.memory", "1Mi"]].map(([resource, divisor]) => resourceFieldValue(whole, { resource: resource!, divisor }, whole.spec.containers[0], { cpu: "4", memory: "4Gi" }))).toEqual(["2", "64"]);
});

const service = (namespace: string, name: string, clusterIP: string): Service => ({ metadata: { namespace, name }, spec: { clusterIP, ports: [{ name: "web-http", port: 80 }, { port: 53, protocol: "UDP" }] } });

test("service variables in the style of Docker links", () => {
  expect(serviceEnv([service("n", "my-db", "10.43.0.5"), service("n", "headless", "None")])).toEqual({
    MY_DB_SERVICE_HOST: "10.43.0.5", MY_DB_SERVICE_PORT: "80", MY_DB_SERVICE_PORT_WEB_HTTP: "80", MY_DB_PORT: "tcp://10.43.0.5:80",
    MY_DB_PORT_80_TCP: "tcp://10.43.0.5:80", MY_DB_PORT_80_TCP_PROTO: "tcp", MY_DB_PORT_80_TCP_PORT: "80", MY_DB_PORT_80_TCP_ADDR: "10.43.0.5",
    MY_DB_PORT_53_UDP: "udp://10.43.0.5:53", MY_DB_PORT_53_UDP_PROTO: "udp", MY_DB_PORT_53_UDP_PORT: "53", MY_DB_PORT_53_UDP_ADDR: "10.43.0.5",
  });
});

describe("a container's environment", () => {
  const sources: EnvSources = {
    nodeName: "node", addresses, allocatable: {}, services: [service("default", "kubernetes", "10.43.0.1"), service("n", "db", "10.43.0.5"), service("other", "far", "10.43.0.6")],
    configMap: async (_, name) => (name === "cm" ? { metadata: {}, data: { one: "1" } } : undefined),
    secret: async (_, name) => (name === "s" ? { metadata: {}, data: { key: btoa("hidden") } } : undefined),
    volumePath: () => undefined,
  };
  const envOf = async (env: EnvVar[], more: Partial<Container> = {}, spec: Partial<Pod["spec"]> = {}): Promise<Record<string, string>> =>
    Object.fromEntries(await containerEnv({ ...pod, spec: { ...pod.spec, ...spec } }, { name: "c", env, ...more }, sources));

  test("later entries win, and see those before them", async () => {
    const env = await envOf([{ name: "one", value: "mine" }, { name: "both", value: "$(one)-$(DB_SERVICE_HOST)-$(later)" }, { name: "later", value: "x" }], { envFrom: [{ configMapRef: { name: "cm" } }, { prefix: "S_", secretRef: { name: "s" } }] });
    expect(env).toMatchObject({ one: "mine", both: "mine-10.43.0.5-$(later)", S_key: "hidden", KUBERNETES_SERVICE_HOST: "10.43.0.1" });
    expect(env["FAR_SERVICE_HOST"]).toBeUndefined();
  });

  test("without service links only the API server's remain", async () => {
    const env = await envOf([], {}, { enableServiceLinks: false });
    expect(env["DB_SERVICE_HOST"]).toBeUndefined();
    expect(env["KUBERNETES_SERVICE_PORT"]).toBe("80");
  });

  test.each([
    [{ configMapKeyRef: { name: "none", key: "k" } }, 'configmap "none" not found'], [{ configMapKeyRef: { name: "cm", key: "k" } }, "couldn't find key k in ConfigMap n/cm"],
    [{ secretKeyRef: { name: "none", key: "k" } }, 'secret "none" not found'], [{ secretKeyRef: { name: "s", key: "k" } }, "couldn't find key k in Secret n/s"],
  ])("what is missing is named: %p", async (valueFrom, message) => {
    expect(envOf([{ name: "A", valueFrom }])).rejects.toThrow(message);
  });

  test("what is optional may be missing", async () => {
    const env = await envOf([{ name: "A", valueFrom: { configMapKeyRef: { name: "none", key: "k", optional: true } } }], { envFrom: [{ secretRef: { name: "none", optional: true } }] });
    expect("A" in env).toBe(false);
  });
});
