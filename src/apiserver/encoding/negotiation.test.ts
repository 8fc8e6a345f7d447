import { describe, expect, test } from "bun:test";
import type { HttpRequest, HttpResponse } from "../../base/http.ts";
import { newExchange, type Exchange } from "../exchange.ts";
import { json } from "./encodings.ts";
import { negotiate, negotiateWatch, type Offer } from "./negotiation.ts";

const exchangeOf = (accept: string | undefined, { url = "/", userAgent = "" } = {}): Exchange => {
  const headers: Record<string, string> = { ...(accept === undefined ? {} : { accept }), "user-agent": userAgent };
  return newExchange({ url, headers } as unknown as HttpRequest, {} as HttpResponse);
};
const of = (accept: string | undefined, request = {}, offer: Offer = { metadata: true, table: true }): unknown => {
  const { encoding, as, metaVersion } = negotiate(exchangeOf(accept, request), offer);
  return [encoding === json.pretty ? "pretty" : encoding.mediaType.slice("application/".length), as, metaVersion];
};
const plain = ["json", undefined, "v1"], inProtobuf = ["vnd.kubernetes.protobuf", undefined, "v1"];

describe("Accept", () => {
  test.each([
    [undefined, plain],
    ["", plain],
    ["*/*", plain],
    ["*", plain],
    ["application/*", plain],
    ["application/json;q=0.5,application/yaml", ["yaml", undefined, "v1"]],
    ["application/yaml;q=0.5, application/json", plain],
    ["*/*,application/yaml;q=0.5", ["yaml", undefined, "v1"]],
    ["application/json;q=0", plain],
    ["application/cbor,application/json;q=0.1", ["cbor", undefined, "v1"]],
    ["application/vnd.kubernetes.protobuf, application/json", inProtobuf],
    ["application/vnd.kubernetes.protobuf,*/*", inProtobuf],
    ["application/vnd.kubernetes.protobuf;stream=watch", inProtobuf],
    ["application/yaml;stream=watch,application/json", plain],
    ["application/json;stream=other,application/yaml", ["yaml", undefined, "v1"]],
    ["application/json;pretty=1", ["pretty", undefined, "v1"]],
    ["application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", ["json", "Table", "v1"]],
    ["application/json;as=Table;v=v1beta1;g=meta.k8s.io", ["json", "Table", "v1beta1"]],
    ["application/yaml;as=Table;v=v1;g=meta.k8s.io", ["yaml", "Table", "v1"]],
    ["application/vnd.kubernetes.protobuf;as=Table;v=v1;g=meta.k8s.io,application/json", plain],
    ["application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;v=v1;g=meta.k8s.io,application/json", ["vnd.kubernetes.protobuf", "PartialObjectMetadata", "v1"]],
    ["application/json;as=Table;v=v9;g=meta.k8s.io,application/json", plain],
    ["application/json;as=Other;v=v1;g=meta.k8s.io,application/json", plain],
    ["application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", ["json", "PartialObjectMetadataList", "v1"]],
    ["text/html,application/xhtml+xml,*/*;q=0.8", plain],
  ])("%s", (accept, expected) => {
    expect(of(accept)).toEqual(expected);
  });

  test.each(["text/html", "application/json;as=Table;v=v1;g=other.io", "application/json;as=Table"])("%s is not acceptable", (accept) => {
    expect(() => of(accept)).toThrow("only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf, application/cbor");
  });

  test("what has no columns is no Table, and custom resources have no protobuf but of their metadata", () => {
    expect(() => of("application/json;as=Table;v=v1;g=meta.k8s.io", {}, { metadata: true, table: false })).toThrow("accepted");
    expect(of("application/vnd.kubernetes.protobuf,application/json", {}, { metadata: true, protobuf: false })).toEqual(plain);
    expect(of("application/vnd.kubernetes.protobuf;as=PartialObjectMetadata;v=v1;g=meta.k8s.io", {}, { metadata: true, protobuf: false })).toEqual(["vnd.kubernetes.protobuf", "PartialObjectMetadata", "v1"]);
  });

  test("watches are no YAML", () => {
    expect(() => negotiateWatch(exchangeOf("application/yaml,application/json"), {})).toThrow("only the following media types are accepted: application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch, application/cbor-seq");
    for (const accept of ["application/cbor", "application/cbor-seq"]) expect(negotiateWatch(exchangeOf(accept), {}).watch.mediaType).toBe("application/cbor-seq");
    expect(negotiateWatch(exchangeOf("application/vnd.kubernetes.protobuf"), {}).watch.mediaType).toBe("application/vnd.kubernetes.protobuf;stream=watch");
  });
});

test("pretty for people, or who asks", () => {
  const pretty = ["pretty", undefined, "v1"];
  expect(of("application/json", { url: "/x?pretty=true" })).toEqual(pretty);
  expect(of("*/*", { userAgent: "curl/8" })).toEqual(pretty);
  expect(of("*/*", { userAgent: "curl/8", url: "/x?pretty=false" })).toEqual(plain);
  expect(of("application/json", { userAgent: "kubectl/v1.36" })).toEqual(plain);
});
