import { describe, expect, test } from "bun:test";
import { parseProtobuf } from "./protobuf.ts";

/** A length-delimited field. */
const field = (number: number, ...content: (string | Buffer)[]): Buffer => {
  const bytes = Buffer.concat(content.map((each) => (typeof each === "string" ? Buffer.from(each) : each)));
  return Buffer.concat([varint((number << 3) | 2), varint(bytes.length), bytes]);
};
const number = (fieldNumber: number, value: number | bigint): Buffer => Buffer.concat([varint(fieldNumber << 3), varint(value)]);
function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}
const enveloped = (apiVersion: string, kind: string, ...raw: Buffer[]): Buffer => Buffer.concat([Buffer.from("k8s\0"), field(1, field(1, apiVersion), field(2, kind)), field(2, ...raw), field(3, ""), field(4, "")]);

test("what kubectl auth can-i sends", () => {
  // Captured from kubectl 1.32: its typed clients write protobuf and accept JSON.
  const body = Buffer.from([
    "6b3873000a320a17617574686f72697a6174696f6e2e6b38732e696f2f7631121753656c665375626a656374416363657373526576696577123c0a100a0012001a0022002a00",
    "320038004200121e0a1c0a0764656661756c7412036765741a0022002a04706f647332003a001a08080012001a0020001a002200",
  ].join(""), "hex");
  expect(parseProtobuf(body, "io.k8s.api.authorization.v1.SelfSubjectAccessReview")).toMatchObject({
    kind: "SelfSubjectAccessReview", apiVersion: "authorization.k8s.io/v1",
    spec: { resourceAttributes: { namespace: "default", verb: "get", resource: "pods" } }, status: { allowed: false },
  });
});

describe("values that aren't what they look like on the wire", () => {
  const meta = field(1, field(1, "x"));
  test("maps, named lists, bytes and times", () => {
    const secret = enveloped("v1", "Secret", field(1, field(1, "x"), field(8, number(1, 1_700_000_000)), field(11, field(1, "k"), field(2, "v")), field(14, "keep")), field(2, field(1, "key"), field(2, Buffer.from([0, 255]))), field(3, "Opaque"));
    expect(parseProtobuf(secret, "io.k8s.api.core.v1.Secret")).toEqual({
      kind: "Secret", apiVersion: "v1", type: "Opaque", data: { key: "AP8=" },
      metadata: { name: "x", creationTimestamp: "2023-11-14T22:13:20Z", labels: { k: "v" }, finalizers: ["keep"] },
    });
  });

  test("the zero time is null", () => {
    expect(parseProtobuf(enveloped("v1", "ConfigMap", field(1, field(1, "x"), field(8))), "io.k8s.api.core.v1.ConfigMap")).toMatchObject({ metadata: { creationTimestamp: null } });
  });

  test("inlined structs, quantities, ports by number and name, negative numbers", () => {
    const probe = (port: Buffer): Buffer => field(10, field(1, field(2, field(1, "/"), field(2, port))), number(2, -5));
    const container = field(2, field(1, "c"), field(8, field(2, field(1, "cpu"), field(2, field(1, "100m")))), probe(Buffer.concat([number(1, 1), field(3, "http")])));
    const volume = field(1, field(1, "v"), field(2, field(2, field(1, "Memory"))));
    expect(parseProtobuf(enveloped("v1", "Pod", meta, field(2, volume, container)), "io.k8s.api.core.v1.Pod")).toMatchObject({
      spec: {
        volumes: [{ name: "v", emptyDir: { medium: "Memory" } }],
        containers: [{ name: "c", resources: { requests: { cpu: "100m" } }, livenessProbe: { httpGet: { path: "/", port: "http" }, initialDelaySeconds: -5 } }],
      },
    });
  });

  test("extra, a map of named lists", () => {
    const review = enveloped("authorization.k8s.io/v1", "SubjectAccessReview", field(2, field(3, "u"), field(5, field(1, "scopes"), field(2, field(1, "a"), field(1, "b")))));
    expect(parseProtobuf(review, "io.k8s.api.authorization.v1.SubjectAccessReview")).toMatchObject({ spec: { user: "u", extra: { scopes: ["a", "b"] } } });
  });
});

test.each([
  ["no prefix", Buffer.from("{}"), "the prefix is missing"],
  ["cut short", enveloped("v1", "Pod", field(1, field(1, "x"))).subarray(0, 20), "unexpected end"],
  ["a string where a message should be", enveloped("v1", "ConfigMap", number(1, 7)), "wrong wire type"],
  ["a varint without end", Buffer.concat([Buffer.from("k8s\0"), Buffer.alloc(11, 255)]), "varint too long"],
])("%s is a bad request", (_, body, text) => {
  expect(() => parseProtobuf(body, "io.k8s.api.core.v1.ConfigMap")).toThrow(text);
});
