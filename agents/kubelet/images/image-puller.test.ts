import { expect, test } from "bun:test";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import type { ContainerRuntime } from "../../cri/cri.ts";
import type { Container, Pod } from "../pod/pod.ts";
import { ImagePuller } from "./image-puller.ts";

const unreachable = 'failed to pull and unpack image "registry.example.com/app:latest": failed to resolve reference: failed to do request: Head "https://registry.example.com/v2/app/manifests/latest": dial tcp: lookup registry.example.com: no such host';
const refused = 'failed to resolve reference "registry.example.com/app:latest": pull access denied, repository does not exist or may require authorization: server message: insufficient_scope';

/** What becomes of a container that wants its image, which is there, pulled always, and the Events of it. */
async function outcomeOf(message: string, { autonomous, present = true, policy }: { autonomous: boolean; present?: boolean; policy?: Container["imagePullPolicy"] }): Promise<{ outcome: string; events: string[] }> {
  const events: string[] = [];
  const runtime = { images: {
    imageStatus: async () => ({ image: present ? { id: "here" } : undefined }),
    pullImage: async () => { throw new Error(message); },
  } } as unknown as ContainerRuntime;
  const puller = new ImagePuller({ records: { mayUse: () => true, begin: () => {}, succeeded: () => {}, failed: () => {} }, runtime, recorder: { event: (_, type, reason) => events.push(`${type} ${reason}`) }, clock: new FakeClock(), presentWillDo: () => autonomous });
  const pod: Pod = { metadata: { name: "p", uid: "u" }, spec: { containers: [] } };
  const ensure = (): Promise<string> => puller.ensure(pod, { name: "c", image: "registry.example.com/app", imagePullPolicy: policy }, { kind: "Pod" }, [], new AbortController().signal).then(({ id }) => id!, ({ reason }) => reason as string);
  const first = await ensure();
  return { outcome: `${first}, then ${await ensure()}`, events };
}

test("an image that is here does on an autonomous node while its registry can't be reached, and nowhere else", async () => {
  expect(await outcomeOf(unreachable, { autonomous: true })).toEqual({
    outcome: "here, then here", events: ["Normal Pulling", "Warning Failed", "Warning Failed", "Normal Pulled", "Normal BackOff", "Normal Pulled"],
  });
  for (const [message, options] of [[unreachable, { autonomous: false }], [refused, { autonomous: true }], [unreachable, { autonomous: true, present: false }]] as const) {
    expect((await outcomeOf(message, options)).outcome).toBe("ErrImagePull, then ImagePullBackOff");
  }
});

test("who shows other credentials doesn't wait for the back-off of those that were refused", async () => {
  const tried: string[] = [];
  const runtime = { images: {
    imageStatus: async () => ({}),
    pullImage: async ({ auth }: { auth?: { password?: string } }) => { tried.push(auth?.password ?? "none"); throw new Error("401 Unauthorized"); },
  } } as unknown as ContainerRuntime;
  const puller = new ImagePuller({ records: { mayUse: () => true, begin: () => {}, succeeded: () => {}, failed: () => {} }, runtime, recorder: { event: () => {} }, clock: new FakeClock() });
  const pod: Pod = { metadata: { name: "p", uid: "u" }, spec: { containers: [] } };
  const secret = (password: string) => ({ metadata: { namespace: "default", name: "s", uid: "1" }, data: { ".dockerconfigjson": btoa(JSON.stringify({ auths: { "registry.example.com": { username: "u", password } } })) } });
  const ensure = (password: string): Promise<unknown> => puller.ensure(pod, { name: "c", image: "registry.example.com/app:1" }, { kind: "Pod" }, [secret(password)], new AbortController().signal).catch(({ reason }) => reason as string);
  expect([await ensure("wrong"), await ensure("wrong"), await ensure("right"), await ensure("right")]).toEqual(["ErrImagePull", "ImagePullBackOff", "ErrImagePull", "ImagePullBackOff"]);
  expect(tried).toEqual(["wrong", "right"]);
});
