import { describe, expect, test } from "bun:test";
import { StatusError } from "../status.ts";
import { decode, type FieldValidation } from "./decode.ts";

const pod = "io.k8s.api.core.v1.Pod", replicaSet = "io.k8s.api.apps.v1.ReplicaSet", secret = "io.k8s.api.core.v1.Secret";
const crd = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition";

describe("normalises", () => {
  const cases: [name: string, schema: string, json: unknown, object: unknown][] = [
    ["nulls go, and the top-level structs are there", pod, { metadata: { name: "a", creationTimestamp: null }, spec: null }, { metadata: { name: "a" }, spec: {}, status: {} }],
    ["empty values that Go omits go", pod, { metadata: { labels: {}, finalizers: [], generation: 0 }, spec: { hostNetwork: false, nodeName: "" } }, { metadata: {}, spec: {}, status: {} }],
    ["zeros behind pointers stay", pod, { spec: { terminationGracePeriodSeconds: 0, shareProcessNamespace: false } }, { metadata: {}, spec: { terminationGracePeriodSeconds: 0, shareProcessNamespace: false }, status: {} }],
    ["empty structs stay", pod, { spec: { volumes: [{ name: "v", emptyDir: {} }], securityContext: {} } }, { metadata: {}, spec: { volumes: [{ name: "v", emptyDir: {} }], securityContext: {} }, status: {} }],
    ["quantities", pod, { spec: { containers: [{ name: "c", resources: { limits: { cpu: 1, memory: "0.5Gi" } } }] } }, { metadata: {}, spec: { containers: [{ name: "c", resources: { limits: { cpu: "1", memory: "512Mi" } } }] }, status: {} }],
    ["times", pod, { status: { startTime: "2026-01-01T01:00:00.5+01:00" } }, { metadata: {}, spec: {}, status: { startTime: "2026-01-01T00:00:00Z" } }],
    ["unknown fields go", pod, { metadata: { name: "a", nope: 1 }, other: {} }, { metadata: { name: "a" }, spec: {}, status: {} }],
    ["nulls in maps and lists become zeros", pod, { metadata: { labels: { a: null }, finalizers: ["x", null] } }, { metadata: { labels: { a: "" }, finalizers: ["x", ""] }, spec: {}, status: {} }],
    ["empty lists that Go prints stay", "io.k8s.api.rbac.v1.Role", { rules: [] }, { metadata: {}, rules: [] }],
    ["empty lists that say something stay", "io.k8s.api.autoscaling.v2.HorizontalPodAutoscaler", { metadata: { managedFields: [] }, spec: { metrics: [], behavior: { scaleUp: { policies: [] } } } }, { metadata: { managedFields: [] }, spec: { behavior: { scaleUp: { policies: [] } } }, status: {} }],
    ["bytes", secret, { data: { a: "YQ==", b: "", c: "YW\nJj" } }, { metadata: {}, data: { a: "YQ==", b: "", c: "YWJj" } }],
    ["ports by number or name", "io.k8s.api.core.v1.Service", { spec: { ports: [{ port: 80, targetPort: "http" }, { port: 81, targetPort: 8081 }] } }, { metadata: {}, spec: { ports: [{ port: 80, targetPort: "http" }, { port: 81, targetPort: 8081 }] }, status: {} }],
    ["schemas within schemas", crd, { spec: { versions: [{ name: "v1", schema: { openAPIV3Schema: { additionalProperties: false, items: { type: "string", nope: 1 }, default: { any: null } } } }] } },
      { metadata: {}, spec: { versions: [{ name: "v1", schema: { openAPIV3Schema: { additionalProperties: false, items: { type: "string" }, default: { any: null } } } }] }, status: {} }],
  ];
  for (const [name, schema, json, object] of cases) test(name, () => expect(decode(schema, json).object).toEqual(object as never));

  test("decoding what was decoded changes nothing", () => {
    for (const [, schema, json] of cases) {
      const { object } = decode(schema, json);
      expect(decode(schema, object).object).toEqual(object);
    }
  });
  test("the input isn't changed", () => {
    const json = { metadata: { name: "a", labels: {} }, spec: { containers: [{ name: "c", x: 1 }] } };
    const before = structuredClone(json);
    decode(pod, json);
    expect(json).toEqual(before);
  });
  test("a key called __proto__ is only a key", () => {
    const { object } = decode<{ metadata: { labels: object } }>(pod, JSON.parse('{"metadata": {"labels": {"__proto__": "x"}}}'));
    expect(Object.keys(object.metadata.labels)).toEqual(["__proto__"]);
    expect(Object.getPrototypeOf(object.metadata.labels)).toBe(Object.prototype);
  });
});

describe("field validation", () => {
  const json = { apiVersion: "v1", kind: "Pod", metadata: { bad: 1 }, spec: { containers: [{ name: "a" }, { name: "b", foo: 1, resources: { limit: {} } }], nodeSelector: { any: "key" } }, unknown: {} };
  const duplicates = ['duplicate field "spec.containers"'];
  const messages = ['unknown field "metadata.bad"', 'unknown field "spec.containers[1].foo"', 'unknown field "spec.containers[1].resources.limit"', ...duplicates, 'unknown field "unknown"'];
  const results: [FieldValidation, string[]][] = [["Warn", messages], ["Ignore", []]];
  for (const [fieldValidation, unknownFields] of results) {
    test(fieldValidation, () => expect(decode(pod, json, { fieldValidation, duplicates }).unknownFields).toEqual(unknownFields));
  }
  test("Strict", () => {
    expect(() => decode(pod, json, { fieldValidation: "Strict", duplicates })).toThrow(`Pod in version "v1" cannot be handled as a Pod: strict decoding error: ${messages.join(", ")}`);
    expect(decode(pod, { metadata: { name: "a" } }, { fieldValidation: "Strict" }).unknownFields).toEqual([]);
  });
});

test("what YAML has twice is one error, and a warning each", () => {
  const duplicates = ['yaml: unmarshal errors:\n  line 3: key "a" already set in map\n  line 5: key "b" already set in map'];
  expect(decode(pod, {}, { fieldValidation: "Warn", duplicates }).unknownFields).toEqual(['line 3: key "a" already set in map', 'line 5: key "b" already set in map']);
  expect(() => decode(pod, { x: 1 }, { fieldValidation: "Strict", duplicates })).toThrow(`strict decoding error: ${duplicates[0]}, unknown field "x"`);
});

describe("wrong types", () => {
  const cases: [schema: string, json: unknown, message: string][] = [
    [replicaSet, { apiVersion: "apps/v1", kind: "ReplicaSet", spec: { replicas: "3" } }, 'ReplicaSet in version "v1" cannot be handled as a ReplicaSet: json: cannot unmarshal string into Go struct field ReplicaSetSpec.spec.replicas of type int32'],
    [replicaSet, { spec: { replicas: 1.5 } }, "json: cannot unmarshal number 1.5 into Go struct field ReplicaSetSpec.spec.replicas of type int32"],
    [replicaSet, { spec: { replicas: 2 ** 31 } }, "json: cannot unmarshal number 2147483648 into Go struct field ReplicaSetSpec.spec.replicas of type int32"],
    [pod, { spec: { containers: [{ name: 1 }] } }, "json: cannot unmarshal number into Go struct field Container.spec.containers.name of type string"],
    [pod, { spec: { containers: {} } }, "json: cannot unmarshal object into Go struct field PodSpec.spec.containers of type []v1.Container"],
    [pod, { spec: { containers: ["x"] } }, "json: cannot unmarshal string into Go struct field PodSpec.spec.containers of type v1.Container"],
    [pod, { spec: { hostNetwork: "yes" } }, "json: cannot unmarshal string into Go struct field PodSpec.spec.hostNetwork of type bool"],
    [pod, { metadata: { labels: { a: 1 } } }, "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string"],
    [pod, { metadata: { labels: [] } }, "json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string"],
    [pod, { spec: { restartPolicy: true } }, "json: cannot unmarshal bool into Go struct field PodSpec.spec.restartPolicy of type v1.RestartPolicy"],
    [pod, { spec: { overhead: { cpu: "lots" } } }, "quantities must match the regular expression"],
    [pod, { status: { startTime: "noon" } }, 'parsing time "noon"'],
    [secret, { data: { a: "YQ=" } }, "illegal base64 data at input byte"],
    [secret, { data: { a: "not base64!" } }, "illegal base64 data at input byte 3"],
    [pod, [], 'Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal array into Go value of type v1.Pod'],
    [pod, null, "cannot unmarshal null"],
  ];
  for (const [schema, json, message] of cases) {
    test(message, () => {
      let thrown: unknown;
      try {
        decode(schema, json);
      } catch (error) {
        thrown = error;
      }
      expect(thrown).toBeInstanceOf(StatusError);
      expect((thrown as StatusError).code).toBe(400);
      expect((thrown as StatusError).message).toContain(message);
    });
  }
  test("nesting without end", () => {
    let schema: Record<string, unknown> = {};
    for (let i = 0; i < 200_000; i++) schema = { not: schema };
    expect(() => decode(crd, { spec: { versions: [{ schema: { openAPIV3Schema: schema } }] } })).toThrow("exceeded max depth");
  });
});
