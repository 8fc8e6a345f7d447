import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { StatusError } from "../../status.ts";
import { parseCbor } from "./decode.ts";
import { containerHead, encodeCbor, selfDescribed } from "./encode.ts";

const parsed = (hex: string): unknown => parseCbor(Buffer.from(hex, "hex")).value;

describe("what Kubernetes writes", () => {
  // Captured from k8s.io/apimachinery 1.36.3's CBOR serializer.
  test("a Secret: byte strings for texts, tag 22 for bytes", () => {
    expect(parsed("d9d9f7a64464617461a1416bd64568656c6c6f446b696e64465365637265744474797065464f7061717565486d65746164617461a2446e616d654161516372656174696f6e54696d657374616d7054323032362d30312d30325430333a30343a30355a49696d6d757461626c65f54a61706956657273696f6e427631")).toEqual({
      apiVersion: "v1", kind: "Secret", metadata: { name: "a", creationTimestamp: "2026-01-02T03:04:05Z" }, data: { k: "aGVsbG8=" }, type: "Opaque", immutable: true,
    });
  });

  test("a Pod is written in the same kinds of items", () => {
    const pod = { kind: "Pod", metadata: { name: "p" }, spec: { containers: [{ name: "c", resources: { limits: { cpu: "100m" } } }], terminationGracePeriodSeconds: 30 } };
    expect(encodeCbor(pod).toString("hex")).toBe("a3446b696e6443506f64486d65746164617461a1446e616d6541704473706563a24a636f6e7461696e65727381a2446e616d654163497265736f7572636573a1466c696d697473a143637075443130306d581d7465726d696e6174696f6e4772616365506572696f645365636f6e6473181e");
  });
});

test.each([
  ["text keys and texts", "a1616b6176", { k: "v" }],
  ["no tag", "a0", {}],
  ["an array and a map of indefinite length", "9f01bf6161f5ffff", [1, { a: true }]],
  ["integers of every size", "8618ff19ffff1affffffff1b001fffffffffffff3b001ffffffffffffe20", [255, 65535, 4294967295, Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, -1]],
  ["floats of every size", "83f93e00fa3fc00000fb3ff8000000000000", [1.5, 1.5, 1.5]],
  ["a tagged time", "c074323032362d30312d30325430333a30343a30355a", "2026-01-02T03:04:05Z"],
  ["bytes that become base64url and hex", "82d542fbffd742fbff", ["-_8", "fbff"]],
  ["null", "f6", null],
  ["a key named __proto__", "a1695f5f70726f746f5f5f6178", JSON.parse('{"__proto__":"x"}')],
])("%s", (_, hex, value) => {
  expect(parsed(hex)).toEqual(value);
});

test.each([
  ["nothing", "", "unexpected EOF"],
  ["half a map", "a141", "unexpected EOF"],
  ["a repeated key", "a2416101416102", 'found duplicate map key "a"'],
  ["a repeated key of another string type", "a2416101616102", "duplicate"],
  ["a number as key", "a10102", "key isn't a string"],
  ["two items", "0102", "extraneous data"],
  ["an array longer than the body", "9a7fffffff", "unexpected EOF"],
  ["an array without bound", "9bffffffffffffffff", "unexpected EOF"],
  ["an integer beyond 2^53", "1b0020000000000000", "2^53"],
  ["a big number", "c249010000000000000000", "tag 2 is not supported"],
  ["a shared reference", "82d81c80d81d00", "tag 28 is not supported"],
  ["a record", "d9006981", "tag 105 is not supported"],
  ["not a number", "f97e00", "NaN"],
  ["undefined", "f7", "simple value 23"],
  ["another simple value", "f820", "simple value"],
  ["invalid text", "61ff", "invalid UTF-8"],
  ["invalid text in bytes that nobody decodes", "41ff", "invalid UTF-8"],
  ["a break out of nowhere", "ff", "break"],
  ["a break after a key", "bf6161ff", "break"],
  ["strings of indefinite length", "5f4161ff", "not supported"],
  ["reserved bits", "1c", "additional information"],
  ["nesting without end", "81".repeat(20_000) + "80", "nest"],
])("%s is a bad request", (_, hex, message) => {
  expect(() => parsed(hex)).toThrow(message);
  expect(() => parsed(hex)).toThrow(StatusError);
});

const json = fc.jsonValue().map((value) => JSON.parse(JSON.stringify(value)) as unknown);

test("what is written is read as it was", () => {
  fc.assert(fc.property(json, (value) => {
    expect(parseCbor(Buffer.concat([selfDescribed, encodeCbor(value)])).value).toEqual(value);
  }));
});

test("random bytes, and bytes changed at random, end in a value or a bad request", () => {
  const valid = encodeCbor({ a: [1, { b: "text", c: null }, 1.5, -7], d: { e: { f: true } } });
  const read = (bytes: Uint8Array): void => {
    try {
      parseCbor(bytes);
    } catch (error) {
      expect(error).toBeInstanceOf(StatusError);
    }
  };
  fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), read), { numRuns: 2000 });
  fc.assert(fc.property(fc.array(fc.tuple(fc.nat(valid.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }), (changes) => {
    const bytes = Buffer.from(valid);
    for (const [at, to] of changes) bytes[at] = to;
    read(bytes);
  }), { numRuns: 2000 });
});

test.each([0, 23, 24, 300, 65_535, 65_536])("the head of an array of %d", (count) => {
  expect(parseCbor(Buffer.concat([containerHead(4, count), Buffer.alloc(count)])).value).toHaveLength(count);
});
