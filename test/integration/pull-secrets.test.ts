import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { secrets } from "../../src/apis/builtins.ts";
import type { Pod } from "../../src/apis/generated/core/v1.ts";
import { eventually } from "../support/eventually.ts";
import { startImageRegistry, type TestImageRegistry } from "../support/image-registry.ts";
import { busyboxImage } from "../support/images.ts";
import { startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";

setDefaultTimeout(180_000);

/** Who may use an image that is on the node already: those who could have pulled it. */
let node: KubeletNode, registry: TestImageRegistry;
beforeAll(async () => {
  registry = await startImageRegistry(await busyboxImage(), { username: "robot", password: "secret" });
  node = await startKubeletNode();
  const config = (password: string) => btoa(JSON.stringify({ auths: { [registry.host]: { username: "robot", password } } }));
  for (const [name, password] of [["right", "secret"], ["same", "secret"], ["wrong", "guess"]] as const) {
    await node.client.create(secrets, { metadata: { name, namespace: node.namespace }, type: "kubernetes.io/dockerconfigjson", data: { ".dockerconfigjson": config(password) } });
  }
});
afterAll(async () => {
  registry[Symbol.dispose]();
  await node?.[Symbol.asyncDispose]();
});

const wanting = (name: string, ...pullSecrets: string[]): Promise<Pod> =>
  node.createPod(name, { containers: [{ name: "c", image: `${registry.host}/private/app:1`, command: ["sleep", "1000"] }], imagePullSecrets: pullSecrets.map((secret) => ({ name: secret })) });
const runs = ({ status }: Pod): boolean => status?.phase === "Running";
const fails = ({ status }: Pod): boolean => ["ErrImagePull", "ImagePullBackOff"].includes(status?.containerStatuses?.[0]?.state?.waiting?.reason ?? "");

test("an image that a secret has brought is not for pods without one", async () => {
  await wanting("first", "right");
  await node.podWhen("first", runs);
  await wanting("without");
  await node.podWhen("without", fails);
  await wanting("guessing", "wrong");
  await node.podWhen("guessing", fails);
});

test("pods with the same credentials needn't ask the registry again, also after a restart of the kubelet", async () => {
  await node.restartKubelet();
  await wanting("same", "same");
  await node.podWhen("same", runs);
  await wanting("again", "right");
  await node.podWhen("again", runs);
  await eventually(async () => expect((await node.events("again")).map(({ message }) => message)).toContainEqual(expect.stringContaining("already present on machine and can be accessed by the pod")));
  expect((await node.events("same")).map(({ reason }) => reason)).not.toContain("Pulling");
});
