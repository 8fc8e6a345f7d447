import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCa, createLeaf } from "../pki/certificate.ts";
import { parseEtcdOptions } from "./etcd-options.ts";

const directory = mkdtempSync(join(tmpdir(), "skiff-etcd-options-"));
afterAll(() => rmSync(directory, { recursive: true }));
const file = (name: string, text: string): string => {
  writeFileSync(join(directory, name), text);
  return join(directory, name);
};
const ca = await createCa("etcd", new Date(Date.now() + 86_400_000));
const crt = file("ca.crt", ca.certificate), key = file("ca.key", ca.key), otherKey = file("other.key", (await createCa("another", new Date())).key), text = file("text", "nothing of the kind");

test("members are named by their addresses, with certificates or without", () => {
  expect(parseEtcdOptions({})).toBeUndefined();
  expect(parseEtcdOptions({ "datastore-endpoint": "http://10.0.0.5:2379, http://[fd00::5]" })).toEqual({
    endpoints: [{ url: "http://10.0.0.5:2379", host: "10.0.0.5", port: 2379, tls: false }, { url: "http://[fd00::5]", host: "fd00::5", port: 2379, tls: false }],
  });
  const { endpoints, tls } = parseEtcdOptions({ "datastore-endpoint": "https://etcd.example:4001", "datastore-cafile": crt, "datastore-certfile": crt, "datastore-keyfile": key })!;
  expect(endpoints).toEqual([{ url: "https://etcd.example:4001", host: "etcd.example", port: 4001, tls: true }]);
  expect(tls!()).toEqual({ ca: ca.certificate, cert: ca.certificate, key: ca.key });
});

test("certificates that are renewed are taken as soon as certificate and key are there", async () => {
  const make = () => createLeaf({ issuer: ca, usage: "client", subject: { commonName: "skiff" }, names: [], notAfter: new Date(Date.now() + 3600_000) });
  const before = await make(), after = await make();
  const names = { "datastore-certfile": file("client.crt", before.certificate), "datastore-keyfile": file("client.key", before.key) };
  const { tls } = parseEtcdOptions({ "datastore-endpoint": "https://etcd.example", ...names })!;
  file("client.crt", after.certificate);
  expect(tls!()).toEqual({ cert: before.certificate, key: before.key });
  file("client.key", after.key);
  expect(tls!()).toEqual({ cert: after.certificate, key: after.key });
  file("client.key", "");
  expect(tls!()).toEqual({ cert: after.certificate, key: after.key });
});

const https = { "datastore-endpoint": "https://10.0.0.5:2379" };
test.each<[values: Record<string, string>, says: string]>([
  [{ "datastore-endpoint": "10.0.0.5:2379" }, '--datastore-endpoint: "10.0.0.5:2379" is not an address such as https://10.0.0.5:2379'],
  [{ "datastore-endpoint": "https://10.0.0.5/v3" }, "is not an address such as"],
  [{ "datastore-endpoint": "https://a:1,http://b:1" }, "all members of an etcd cluster speak one of them"],
  [{ "datastore-endpoint": " , " }, "no endpoint is given"],
  [{ "datastore-endpoint": "mysql://root@tcp(10.0.0.5)/k3s" }, "can't be mysql: it takes etcd's addresses"],
  [{ "datastore-cafile": crt }, "name its members with --datastore-endpoint too"],
  [{ "datastore-endpoint": "http://10.0.0.5", "datastore-cafile": crt }, "which has no certificates: write https://"],
  [{ ...https, "datastore-certfile": crt }, "go together"],
  [{ ...https, "datastore-cafile": join(directory, "none") }, "none can't be read (ENOENT)"],
  [{ ...https, "datastore-cafile": text }, "text holds no certificate in PEM"],
  [{ ...https, "datastore-certfile": crt, "datastore-keyfile": text }, "text holds no private key in PEM"],
  [{ ...https, "datastore-certfile": crt, "datastore-keyfile": otherKey }, `--datastore-keyfile: ${otherKey} is not the key of --datastore-certfile ${crt}`],
])("%j is refused", (values, says) => expect(() => parseEtcdOptions(values)).toThrow(says));
