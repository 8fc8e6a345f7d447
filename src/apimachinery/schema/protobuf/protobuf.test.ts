import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { isObject } from "../../own.ts";
import { decode } from "../decode.ts";
import { structOf as typeOfStruct, typeNames, typeOf } from "../schema.ts";
import { structOf } from "../testing/arbitrary.ts";
import { decodeMessage } from "./decode.ts";
import { encodeMessage, written } from "./encode.ts";
import { decodeDocument, encodeDocument, watchFrame } from "./envelope.ts";
import { hasProtobuf, messageOf } from "./messages.ts";
import { durationText, nanosecondsOf } from "./values.ts";

/** Documents as Kubernetes' Go code writes them (k8s.io/apimachinery protobuf serializer, 1.36.3), and the objects they were made of. */
const documents: [apiVersion: string, kind: string, schema: string, object: object, hex: string][] = [
  ["apps/v1", "Deployment", "io.k8s.api.apps.v1.Deployment", {
    metadata: { name: "web", labels: { b: "2", a: "1" }, creationTimestamp: "2026-01-02T03:04:05Z" },
    spec: {
      replicas: 3, selector: { matchLabels: { a: "1" } }, strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "25%", maxUnavailable: 1 } },
      template: {
        metadata: {},
        spec: { containers: [{ name: "c", image: "busybox", ports: [{ containerPort: 80 }], resources: { limits: { cpu: "100m", memory: "1Gi" } }, livenessProbe: { httpGet: { path: "/", port: "http" } } }] },
      },
    },
    status: { replicas: 300 },
  }, "6b3873000a150a07617070732f7631120a4465706c6f796d656e74129a020a2b0a0377656212001a0022002a0032003800420808a5ebdcca0610005a060a01611201315a060a016212013212db01080312080a060a01611201311aa2010a100a0012001a0022002a00320038004200128d01126f0a0163120762757379626f782a00320a0a001000185022002a0042200a0d0a0363707512060a043130306d0a0f0a066d656d6f727912050a0331476952210a1512130a012f120a080110001a04687474701a002200100018002000280030006a007200800100880100900100a201001a00320042004a0052005800600068008201008a01009a0100c2010022240a0d526f6c6c696e6755706461746512130a06080010011a001209080110001a03323525280038001a0d080010ac0218002000280038001a002200"],
  ["admissionregistration.k8s.io/v1", "ValidatingWebhookConfiguration", "io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration", {
    metadata: { name: "w" },
    webhooks: [{
      name: "a.b.c", clientConfig: { caBundle: "aGVsbG8=", url: "https://x" }, sideEffects: "None", admissionReviewVersions: ["v1"], timeoutSeconds: 10,
      rules: [{ operations: ["CREATE"], apiGroups: [""], apiVersions: ["v1"], resources: ["pods"], scope: "*" }],
    }],
  }, "6b3873000a410a1f61646d697373696f6e726567697374726174696f6e2e6b38732e696f2f7631121e56616c69646174696e67576562686f6f6b436f6e66696775726174696f6e12570a110a017712001a0022002a0032003800420012420a05612e622e631212120568656c6c6f1a0968747470733a2f2f781a190a06435245415445120f0a00120276311a04706f647322012a32044e6f6e65380a420276311a002200"],
  ["apiextensions.k8s.io/v1", "CustomResourceDefinition", "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition", {
    metadata: { name: "c" },
    spec: {
      group: "g", names: { plural: "p", kind: "K" }, scope: "Namespaced",
      versions: [{
        name: "v1", served: true, storage: true,
        schema: { openAPIV3Schema: { type: "object", properties: { n: { type: "number", maximum: 1.5, default: { x: 1 } }, o: { type: "object", additionalProperties: false }, i: { type: "array", items: { type: "string" } } } } },
      }],
    },
    status: {},
  }, "6b3873000a330a17617069657874656e73696f6e732e6b38732e696f2f76311218437573746f6d5265736f75726365446566696e6974696f6e12bd020a110a016312001a0022002a003200380042001299020a01671a0a0a0170120022014b2a00220a4e616d657370616365643af9010a0276311001180122ec010ae9010a00120022002a066f626a65637432003a00500060007a00900100ea01510a0169124c0a00120022002a05617272617932003a00500060007a00900100c201260a240a00120022002a06737472696e6732003a00500060007a00900100a80200b80200c00200a80200b80200c00200ea013d0a016e12380a00120022002a066e756d62657232003a0042090a077b2278223a317d49000000000000f83f500060007a00900100a80200b80200c00200ea012e0a016f12290a00120022002a066f626a65637432003a00500060007a00900100f201020800a80200b80200c00200a80200b80200c00200380050001a0c12080a00120022002a0020001a002200"],
];

describe.each(documents)("%s %s", (apiVersion, kind, schema, object, hex) => {
  test("is written byte for byte as Kubernetes writes it", () => {
    expect(encodeDocument({ apiVersion, kind }, schema, object).toString("hex")).toBe(hex);
  });

  test("is read back", () => {
    expect(decode<object>(schema, decodeDocument(Buffer.from(hex, "hex"), schema)).object).toMatchObject({ ...decode<object>(schema, object).object, apiVersion, kind });
  });

  test("cut anywhere, it is refused or shorter, and nothing else", () => {
    const bytes = Buffer.from(hex, "hex");
    for (let end = 0; end < bytes.length; end++) expectRefusalOrObject(() => decodeDocument(bytes.subarray(0, end), schema));
  });
});

function expectRefusalOrObject(read: () => unknown): void {
  try {
    expect(isObject(read())).toBe(true);
  } catch (error) {
    expect(error).toBeInstanceOf(RangeError);
  }
}

/** Every type with a protobuf form that objects, lists or options can have at their top. */
const tops = [...typeNames()].filter((name) => typeOf(name).kind === "struct" && hasProtobuf(name) && typeOfStruct(name).fields.has("apiVersion"));

test("there are hundreds of them", () => {
  expect(tops.length).toBeGreaterThan(300);
});

test("what is written is read as it was, for every type", () => {
  for (const name of tops) {
    fc.assert(fc.property(structOf(typeOfStruct(name)), (given) => {
      const { object } = decode<Record<string, unknown>>(name, given);
      const read = decode<Record<string, unknown>>(name, decodeMessage(encodeMessage(name, object), name)).object;
      // The first reading may lack what is empty, and have what is always written: both mean the same to Go. From then on nothing changes.
      expect(decode<Record<string, unknown>>(name, decodeMessage(encodeMessage(name, read), name)).object).toEqual(read);
    }), { numRuns: 3 });
  }
});

test("random bytes, and bytes changed at random, end in a refusal or an object", () => {
  const schema = "io.k8s.api.apps.v1.Deployment";
  const valid = Buffer.from(documents[0]![4], "hex");
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => expectRefusalOrObject(() => decodeMessage(bytes, schema))));
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 5 }), (changes) => {
    const bytes = Buffer.from(valid);
    for (const [at, to] of changes) bytes[at] = to;
    expectRefusalOrObject(() => decodeDocument(bytes, schema));
  }), { numRuns: 1000 });
});

describe("values that aren't what they look like", () => {
  test.each([
    ["a varint without end", Buffer.alloc(30, 255), "integer overflow"],
    ["a length beyond the end", Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f]), "unexpected EOF"],
    ["a number where a message should be", Buffer.from([0x08, 1]), "wrong wire type"],
    ["a group", Buffer.from([0x0b]), "wrong wire type"],
  ])("%s is refused", (_, bytes, message) => {
    expect(() => decodeMessage(bytes, "io.k8s.api.core.v1.ConfigMap")).toThrow(message);
  });

  test("nesting without end is refused", () => {
    const schema = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";
    const { number } = messageOf(schema).fields.find(({ json }) => json === "not")!;
    const heads: Buffer[] = [];
    for (let depth = 0, size = 0; depth < 200_000; depth++) {
      const head = written((writer) => {
        writer.varint(size);
        writer.varint(number * 8 + 2);
      });
      heads.push(head);
      size += head.length;
    }
    expect(() => decodeMessage(Buffer.concat(heads.reverse()), schema)).toThrow(RangeError);
  });

  test("an integer that a number can't hold is refused, not rounded", () => {
    const write = (seconds: number): Buffer => encodeMessage("io.k8s.apimachinery.pkg.apis.meta.v1.Timestamp", { seconds });
    for (const seconds of [0, -1, 127, 128, 2 ** 49, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER]) expect(decodeMessage(write(seconds), "io.k8s.apimachinery.pkg.apis.meta.v1.Timestamp")).toEqual({ seconds, nanos: 0 });
    expect(() => decodeMessage(write(2 ** 60), "io.k8s.apimachinery.pkg.apis.meta.v1.Timestamp")).toThrow("2^53");
  });

  test("keys like __proto__ are keys", () => {
    const labels = JSON.parse('{"__proto__":"x"}') as Record<string, string>;
    const read = decodeMessage(encodeMessage("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", { labels }), "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
    expect(Object.entries(read["labels"] as object)).toEqual([["__proto__", "x"]]);
  });

  test("map keys are in the order of their bytes", () => {
    const meta = encodeMessage("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta", { labels: { "😀": "", "\uff5e": "", b: "", a: "" } });
    const read = decodeMessage(meta, "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta");
    expect(Object.keys(read["labels"] as object)).toEqual(["a", "b", "\uff5e", "😀"]);
  });

  test.each([["1h0m0s", 3600e9], ["1m1.5s", 61.5e9], ["250ms", 250e6], ["1.5µs", 1500], ["7ns", 7], ["0s", 0], ["-2s", -2e9]])("%s", (text, nanoseconds) => {
    expect([nanosecondsOf(text), durationText(nanoseconds)]).toEqual([nanoseconds, text]);
  });
});

test("a watch frame is a length, a type and a document", () => {
  expect(watchFrame("ADDED", Buffer.from("doc")).toString("hex")).toBe("0000000e0a0541444445441205" + "0a03646f63");
});
