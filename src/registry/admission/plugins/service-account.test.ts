import { describe, expect, test } from "bun:test";
import { pods } from "../../../apis/builtins.ts";
import type { Pod, PodSpec, ServiceAccount } from "../../../apis/generated/core/v1.ts";
import { FakeClock } from "../../../../test/support/fake-clock.ts";
import { attributesOf, listersOf, run } from "../../testing/admission.ts";
import { serviceAccount } from "./service-account.ts";

const accounts: ServiceAccount[] = [
  { metadata: { name: "default", namespace: "ns" } },
  { metadata: { name: "quiet", namespace: "ns" }, automountServiceAccountToken: false },
  { metadata: { name: "strict", namespace: "ns", annotations: { "kubernetes.io/enforce-mountable-secrets": "true" } }, secrets: [{ name: "mine" }], imagePullSecrets: [{ name: "registry" }] },
  { metadata: { name: "puller", namespace: "ns" }, imagePullSecrets: [{ name: "registry" }] },
];
const plugin = serviceAccount({ listers: listersOf({ serviceaccounts: accounts }), randomSuffix: () => "abcde", clock: new FakeClock() });
const directory = "/var/run/secrets/kubernetes.io/serviceaccount";

async function admit(spec: Partial<PodSpec>, annotations?: Record<string, string>): Promise<{ pod: Pod; refusal: string }> {
  const pod: Pod = { metadata: { name: "p", namespace: "ns", annotations }, spec: { containers: [{ name: "c" }], ...spec } };
  return { pod, refusal: await run(plugin, attributesOf(pods, { object: pod })) };
}

describe("ServiceAccount", () => {
  test("gives the default account and mounts its token everywhere", async () => {
    const { pod } = await admit({ initContainers: [{ name: "i" }] });
    expect(pod.spec).toMatchObject({ serviceAccountName: "default", serviceAccount: "default" });
    const mounts = [{ name: "kube-api-access-abcde", readOnly: true, mountPath: directory }];
    expect(pod.spec.containers[0]!.volumeMounts).toEqual(mounts);
    expect(pod.spec.initContainers![0]!.volumeMounts).toEqual(mounts);
    expect(pod.spec.volumes).toHaveLength(1);
    expect(pod.spec.volumes![0]!.projected!.sources!.map((source) => Object.keys(source)[0])).toEqual(["serviceAccountToken", "configMap", "downwardAPI"]);
    expect(pod.spec.volumes![0]!.projected!.sources![0]).toEqual({ serviceAccountToken: { expirationSeconds: 3607, path: "token" } });
  });

  test.each<[string, Partial<PodSpec>, number]>([
    ["the pod says no", { automountServiceAccountToken: false }, 0],
    ["the account says no", { serviceAccountName: "quiet" }, 0],
    ["the pod says yes, the account no", { serviceAccountName: "quiet", automountServiceAccountToken: true }, 1],
    ["every container has its own mount there", { containers: [{ name: "c", volumeMounts: [{ name: "mine", mountPath: directory }] }] }, 0],
    ["a volume is there already", { volumes: [{ name: "kube-api-access-xyz", emptyDir: {} }] }, 1],
  ])("volumes when %s", async (_, spec, volumes) => {
    expect((await admit(spec)).pod.spec.volumes ?? []).toHaveLength(volumes);
  });

  test("takes over pull secrets, unless the pod has its own", async () => {
    expect((await admit({ serviceAccountName: "puller" })).pod.spec.imagePullSecrets).toEqual([{ name: "registry" }]);
    expect((await admit({ serviceAccountName: "puller", imagePullSecrets: [{ name: "own" }] })).pod.spec.imagePullSecrets).toEqual([{ name: "own" }]);
  });

  test("refuses an account that is missing", async () => {
    expect((await admit({ serviceAccountName: "nobody" })).refusal).toBe('403 pods "p" is forbidden: error looking up service account ns/nobody: serviceaccount "nobody" not found');
  });

  test("waits a little for the default account of a new namespace", async () => {
    const arriving: ServiceAccount[] = [];
    const clock = new FakeClock();
    const waiting = serviceAccount({ listers: listersOf({ serviceaccounts: arriving }), randomSuffix: () => "abcde", clock });
    const admitPod = (): Promise<string> => run(waiting, attributesOf(pods, { object: { metadata: { name: "p", namespace: "ns" }, spec: { containers: [] } } as Pod }));
    const first = admitPod();
    await clock.advance(300);
    arriving.push(accounts[0]!);
    await clock.advance(150);
    expect(await first).toBe("");
    arriving.pop();
    const second = admitPod();
    await clock.advance(1500);
    expect(await second).toContain('serviceaccount "default" not found');
  });

  test("leaves mirror pods alone, and lets them use no account", async () => {
    const mirror = { "kubernetes.io/config.mirror": "hash" };
    const { pod, refusal } = await admit({}, mirror);
    expect(refusal).toBe("");
    expect(pod.spec.serviceAccountName).toBeUndefined();
    expect((await admit({ serviceAccountName: "default" }, mirror)).refusal).toBe('403 pods "p" is forbidden: a mirror pod may not reference service accounts');
    expect((await admit({ volumes: [{ name: "s", secret: { secretName: "x" } }] }, mirror)).refusal).toContain("a mirror pod may not reference secrets");
  });

  test.each<[string, Partial<PodSpec>, string]>([
    ["uses what is listed", { volumes: [{ name: "v", secret: { secretName: "mine" } }], imagePullSecrets: [{ name: "registry" }] }, ""],
    ["mounts another", { volumes: [{ name: "v", secret: { secretName: "theirs" } }] }, 'volume with secret.secretName="theirs" is not allowed because service account strict does not reference that secret'],
    ["reads another", { containers: [{ name: "c", env: [{ name: "E", valueFrom: { secretKeyRef: { name: "theirs", key: "k" } } }] }] }, 'container c with envVar E referencing secret.secretName="theirs" is not allowed because service account strict does not reference that secret'],
    ["pulls with another", { imagePullSecrets: [{ name: "registry" }, { name: "other" }] }, 'imagePullSecrets[1].name="other" is not allowed because service account strict does not reference that imagePullSecret'],
  ])("of an account that is held to its secrets a pod %s", async (_, spec, expected) => {
    expect((await admit({ serviceAccountName: "strict", ...spec })).refusal).toBe(expected && `403 pods "p" is forbidden: ${expected}`);
  });
});
