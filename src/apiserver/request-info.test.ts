import { describe, expect, test } from "bun:test";
import { requestInfo } from "./request-info.ts";

const of = (method: string, url: string) => {
  const [path, query] = url.split("?");
  return requestInfo(method, path!, new URLSearchParams(query));
};

describe("resource requests", () => {
  const table: [method: string, url: string, verb: string, group: string, version: string, namespace: string, resource: string, subresource: string, name: string][] = [
    ["GET", "/api/v1/namespaces", "list", "", "v1", "", "namespaces", "", ""],
    ["GET", "/api/v1/namespaces/other", "get", "", "v1", "other", "namespaces", "", "other"],
    ["GET", "/api/v1/namespaces/other/status", "get", "", "v1", "other", "namespaces", "status", "other"],
    ["PUT", "/api/v1/namespaces/other/finalize", "update", "", "v1", "other", "namespaces", "finalize", "other"],
    ["GET", "/api/v1/namespaces/other/pods", "list", "", "v1", "other", "pods", "", ""],
    ["GET", "/api/v1/namespaces/other/pods/foo", "get", "", "v1", "other", "pods", "", "foo"],
    ["HEAD", "/api/v1/namespaces/other/pods/foo", "get", "", "v1", "other", "pods", "", "foo"],
    ["GET", "/api/v1/pods?watch=1", "watch", "", "v1", "", "pods", "", ""],
    ["GET", "/api/v1/pods?watch=false", "list", "", "v1", "", "pods", "", ""],
    ["GET", "/api/v1/namespaces/other/pods?fieldSelector=metadata.name%3Dfoo", "list", "", "v1", "other", "pods", "", "foo"],
    ["GET", "/api/v1/namespaces/other/pods?watch=true&fieldSelector=metadata.name%3Dfoo,spec.nodeName%3Dx", "watch", "", "v1", "other", "pods", "", "foo"],
    ["GET", "/api/v1/watch/namespaces/other/pods/foo", "watch", "", "v1", "other", "pods", "", "foo"],
    ["GET", "/api/v1/watch/pods", "watch", "", "v1", "", "pods", "", ""],
    ["POST", "/api/v1/namespaces/other/pods", "create", "", "v1", "other", "pods", "", ""],
    ["POST", "/api/v1/namespaces/other/pods/foo/exec?command=ls", "create", "", "v1", "other", "pods", "exec", "foo"],
    ["GET", "/api/v1/nodes/n1/proxy/metrics/cadvisor", "get", "", "v1", "", "nodes", "proxy", "n1"],
    ["PATCH", "/apis/apps/v1/namespaces/other/deployments/foo/scale", "patch", "apps", "v1", "other", "deployments", "scale", "foo"],
    ["DELETE", "/apis/apps/v1/namespaces/other/deployments", "deletecollection", "apps", "v1", "other", "deployments", "", ""],
    ["DELETE", "/apis/apps/v1/namespaces/other/deployments/foo", "delete", "apps", "v1", "other", "deployments", "", "foo"],
  ];
  test.each(table)("%s %s", (method, url, verb, group, version, namespace, resource, subresource, name) => {
    expect(of(method, url)).toMatchObject({ isResource: true, verb, group, version, namespace, resource, subresource, name });
  });
});

describe("other paths", () => {
  test.each(["/", "/api", "/api/v1", "/apis", "/apis/apps", "/apis/apps/v1", "/healthz", "/openapi/v3/apis/apps/v1"])("%s", (path) => {
    expect(of("GET", path)).toMatchObject({ isResource: false, verb: "get", path });
  });
});

test("a field selector that can't be read is a bad request", () => {
  expect(() => of("GET", "/api/v1/pods?fieldSelector=nonsense")).toThrow("invalid selector");
});
