import { afterAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connectionOf } from "./kubeconfig.ts";

const directory = mkdtempSync(join(tmpdir(), "skiff-kubeconfig-"));
afterAll(() => rmSync(directory, { recursive: true }));

function write(name: string, config: object): string {
  const file = join(directory, name);
  writeFileSync(file, JSON.stringify(config));
  return file;
}

const base64 = (text: string): string => Buffer.from(text).toString("base64");
writeFileSync(join(directory, "ca.pem"), "the ca");
writeFileSync(join(directory, "token"), "from a file\n");
const first = write("first.yaml", {
  "current-context": "one", contexts: [{ name: "one", context: { cluster: "here", user: "me", namespace: "mine" } }],
  clusters: [{ name: "here", cluster: { server: "https://here:6443/", "certificate-authority": "ca.pem" } }], users: [{ name: "me", user: { "client-certificate-data": base64("cert"), "client-key-data": base64("key") } }],
});
const second = write("second.yaml", {
  "current-context": "two", contexts: [{ name: "two", context: { cluster: "there", user: "bot" } }, { name: "one", context: { cluster: "there", user: "bot" } }],
  clusters: [{ name: "there", cluster: { server: "https://there", "insecure-skip-tls-verify": true, "tls-server-name": "api" } }], users: [{ name: "bot", user: { tokenFile: join(directory, "token"), as: "other", "as-groups": ["g"] } }, { name: "basic", user: { username: "u", password: "p" } }],
});
const environment = { KUBECONFIG: `${first}:${join(directory, "missing")}:${second}`, HOME: directory };

describe("kubeconfig", () => {
  test("the first file that says something wins; paths are relative to their file", async () => {
    expect(await connectionOf({}, environment)).toMatchObject({ server: "https://here:6443", ca: "the ca", cert: "cert", key: "key", namespace: "mine", namespaceGiven: false, insecure: false });
  });

  test("flags choose, and say it themselves", async () => {
    expect(await connectionOf({ context: "two", namespace: "n" }, { ...environment, KUBECONFIG: first }).catch((error: Error) => error.message)).toBe("Error in configuration: context was not found for specified context: two");
    expect(await connectionOf({ context: "two", namespace: "n" }, environment)).toMatchObject({ server: "https://there", insecure: true, tlsServerName: "api", token: "from a file", impersonation: { "Impersonate-User": "other", "Impersonate-Group": ["g"] }, namespace: "n", namespaceGiven: true });
    expect(await connectionOf({ user: "basic", server: "http://x", token: "t", as: "a" }, environment)).toMatchObject({ server: "http://x", username: "u", password: "p", token: "t", impersonation: { "Impersonate-User": "a" } });
  });

  test("a credential plugin is asked", async () => {
    const plugin = join(directory, "plugin");
    writeFileSync(plugin, `#!/bin/sh\necho '{"kind":"ExecCredential","status":{"token":"plugged-'$WHO'"}}'\n`, { mode: 0o755 });
    const file = write("plugin.yaml", { "current-context": "c", contexts: [{ name: "c", context: { cluster: "c", user: "u" } }], clusters: [{ name: "c", cluster: { server: "https://c" } }], users: [{ name: "u", user: { exec: { apiVersion: "client.authentication.k8s.io/v1", command: plugin, env: [{ name: "WHO", value: "me" }] } } }] });
    expect(await connectionOf({ kubeconfig: file }, environment)).toMatchObject({ token: "plugged-me" });
  });

  test("an empty file says nothing", async () => {
    writeFileSync(join(directory, "empty"), "");
    expect(await connectionOf({ kubeconfig: join(directory, "empty"), server: "https://x" }, environment)).toMatchObject({ server: "https://x", namespace: "default" });
  });

  test("what is no kubeconfig is told", async () => {
    writeFileSync(join(directory, "bad"), "- a\n");
    expect(connectionOf({ kubeconfig: join(directory, "bad") }, environment)).rejects.toThrow("it holds no kubeconfig");
    expect(connectionOf({ kubeconfig: join(directory, "nowhere") }, environment)).rejects.toThrow("nowhere");
  });
});
