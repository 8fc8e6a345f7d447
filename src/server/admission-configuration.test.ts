import { afterEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readAdmissionConfiguration } from "./admission-configuration.ts";

const directories: string[] = [];
afterEach(() => directories.splice(0).forEach((each) => rmSync(each, { recursive: true })));

function read(files: Record<string, string>) {
  const directory = mkdtempSync(join(tmpdir(), "skiff-admission-"));
  directories.push(directory);
  for (const [name, content] of Object.entries(files)) writeFileSync(join(directory, name), content);
  return readAdmissionConfiguration(join(directory, "admission.yaml"));
}

const head = "apiVersion: apiserver.config.k8s.io/v1\nkind: AdmissionConfiguration\nplugins:\n";
const podSecurity = (indent: string, text: string): string => ["apiVersion: pod-security.admission.config.k8s.io/v1", "kind: PodSecurityConfiguration", ...text.split("\n")].map((line) => indent + line).join("\n");
const inline = (text: string): string => `${head}- name: PodSecurity\n  configuration:\n${podSecurity("    ", text)}`;

test("PodSecurity's defaults and exemptions, in the file or in one beside it", () => {
  const text = 'defaults: { enforce: baseline, enforce-version: v1.30, warn: restricted }\nexemptions: { namespaces: [kube-system], usernames: ["system:admin"], runtimeClasses: [vm] }';
  const expected = {
    defaults: { enforce: { level: "baseline", version: "v1.30" }, audit: { level: "privileged", version: "latest" }, warn: { level: "restricted", version: "latest" } },
    exemptions: { namespaces: ["kube-system"], usernames: ["system:admin"], runtimeClasses: ["vm"] },
  } as const;
  expect(read({ "admission.yaml": inline(text) }).podSecurity).toEqual(expected as never);
  expect(read({ "admission.yaml": `${head}- name: PodSecurity\n  path: pods.yaml`, "pods.yaml": podSecurity("", text) }).podSecurity).toEqual(expected as never);
  expect(read({ "admission.yaml": `${head}- name: LimitRanger` })).toEqual({});
});

test.each([
  [{ "admission.yaml": "kind: Other" }, 'must have apiVersion "apiserver.config.k8s.io/v1" and kind "AdmissionConfiguration"'],
  [{ "admission.yaml": "a: [" }, "can't be read"],
  [{}, "can't be read"],
  [{ "admission.yaml": `${head}- name: EventRateLimit\n  configuration: {}` }, 'the plugin "EventRateLimit" takes no configuration'],
  [{ "admission.yaml": inline("defaults: { enforce: strict, audit-version: '2' }") }, 'PodSecurity: defaults.enforce: Invalid value: "strict": must be one of privileged, baseline, restricted, defaults.audit-version: Invalid value: "2": must be "latest" or "v1.x"'],
  [{ "admission.yaml": inline("exemptions: { namespaces: [a, a], users: [b] }") }, "exemptions.users: Invalid value"],
  [{ "admission.yaml": inline("exemptions: { namespaces: [a, a] }") }, 'exemptions.namespaces[1]: Duplicate value: "a"'],
])("%p is told to be wrong", (files, text) => expect(() => read(files as Record<string, string>)).toThrow(text));
