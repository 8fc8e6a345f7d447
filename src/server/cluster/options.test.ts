import { expect, test } from "bun:test";
import { parseClusterOptions } from "./options.ts";

test("what is asked for", () => {
  expect(parseClusterOptions({})).toEqual({ init: false, reset: false, values: {}, given: [] });
  expect(parseClusterOptions({ "cluster-init": true, given: ["cluster-init"] })).toMatchObject({ init: true, reset: false, given: ["cluster-init"] });
  expect(parseClusterOptions({ server: "https://10.0.0.5:6443/", token: "secret-of-all" })).toMatchObject({ init: false, reset: false, server: "https://10.0.0.5:6443" });
});

test.each([
  [{ "cluster-init": true, "datastore-endpoint": "http://10.0.0.5:2379" }, "--cluster-init runs etcd beside the server"],
  [{ server: "https://10.0.0.5:6443", token: "t", "datastore-endpoint": "http://10.0.0.5:2379" }, "--server runs etcd beside the server"],
  [{ "cluster-reset": true, "datastore-endpoint": "http://10.0.0.5:2379" }, "--cluster-reset runs etcd beside the server"],
  [{ "cluster-init": true, server: "https://10.0.0.5:6443", token: "t" }, "--cluster-init begins a cluster and --server joins one"],
  [{ server: "https://10.0.0.5:6443" }, "--server needs --token too"],
  [{ server: "10.0.0.5:6443", token: "t" }, "--server must be another server's address"],
  [{ server: "http://10.0.0.5:6443", token: "t" }, "--server must be another server's address"],
  [{ server: "https://10.0.0.5:6443/api", token: "t" }, "--server must be another server's address"],
])("%j is refused", (values, sentence) => expect(() => parseClusterOptions(values)).toThrow(sentence));
