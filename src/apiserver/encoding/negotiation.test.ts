import { describe, expect, test } from "bun:test";
import type { HttpRequest, HttpResponse } from "../../base/http.ts";
import { newExchange } from "../exchange.ts";
import { negotiate } from "./negotiation.ts";

const of = (accept: string | undefined, { url = "/", userAgent = "" } = {}, offer = { metadata: true, table: true, streaming: false }): unknown => {
  const headers: Record<string, string> = { ...(accept === undefined ? {} : { accept }), "user-agent": userAgent };
  const { format, as, metaVersion, pretty } = negotiate(newExchange({ url, headers } as unknown as HttpRequest, {} as HttpResponse), offer);
  return [format, as, metaVersion, pretty];
};
const plain = ["json", undefined, "v1", false];

describe("Accept", () => {
  test.each([
    [undefined, plain],
    ["", plain],
    ["*/*", plain],
    ["application/*", plain],
    ["application/json;q=0.5,application/yaml", ["yaml", undefined, "v1", false]],
    ["application/yaml;q=0.5, application/json", plain],
    ["application/vnd.kubernetes.protobuf, application/json", plain],
    ["application/cbor,application/json;q=0.1", plain],
    ["application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json", ["json", "Table", "v1", false]],
    ["application/json;as=Table;v=v1beta1;g=meta.k8s.io", ["json", "Table", "v1beta1", false]],
    ["application/json;as=Table;v=v9;g=meta.k8s.io,application/json", plain],
    ["application/json;as=Other;v=v1;g=meta.k8s.io,application/json", plain],
    ["application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io", ["json", "PartialObjectMetadataList", "v1", false]],
    ["text/html,application/xhtml+xml,*/*;q=0.8", plain],
  ])("%s", (accept, expected) => {
    expect(of(accept)).toEqual(expected);
  });

  test.each(["text/html", "application/vnd.kubernetes.protobuf", "application/json;q=0", "application/json;as=Table;v=v1;g=other.io"])("%s is not acceptable", (accept) => {
    expect(() => of(accept)).toThrow("only the following media types are accepted");
  });

  test("what has no columns is no Table, and watches are no YAML", () => {
    expect(() => of("application/json;as=Table;v=v1;g=meta.k8s.io", {}, { metadata: true, table: false, streaming: false })).toThrow("accepted");
    expect(() => of("application/yaml", {}, { metadata: true, table: true, streaming: true })).toThrow("application/json;stream=watch");
  });
});

test("pretty for people, or who asks", () => {
  expect(of("application/json", { url: "/x?pretty=true" })).toEqual(["json", undefined, "v1", true]);
  expect(of("*/*", { userAgent: "curl/8" })).toEqual(["json", undefined, "v1", true]);
  expect(of("*/*", { userAgent: "curl/8", url: "/x?pretty=false" })).toEqual(plain);
  expect(of("application/json", { userAgent: "kubectl/v1.36" })).toEqual(plain);
});
