import { expect, test } from "bun:test";
import type { Node } from "../../apis/generated/core/v1.ts";
import type { InformerFactory } from "../../client/informer.ts";
import type { EtcdClient } from "../../storage/etcd/etcd-client.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { fakeInformer } from "../../../test/support/fake-informer.ts";
import { removeGoneMembers } from "./gone-members.ts";

const node = (name: string) => ({ metadata: { name } }) as Node;

/** Three members, whose servers are nodes; `lead` is what this server does. */
function cluster() {
  const clock = new FakeClock(), informer = fakeInformer(node("one"), node("two"), node("three")), stop = new AbortController();
  const members = new Set(["one", "two", "three"]), state = { leads: false, heard: new Map([["one", 0], ["two", 0], ["three", 0]]) };
  const call = async (method: string, request: { id?: string }) => {
    if (method === "MemberRemove") members.delete(request.id!);
    return { members: [...members].map((name) => ({ id: name, name, peerUrls: [] })) };
  };
  const done = removeGoneMembers({ client: { call } as unknown as EtcdClient, informers: { informer: () => informer } as unknown as InformerFactory, heardOf: (name) => state.heard.get(name), leads: () => state.leads, clock }, stop.signal);
  const left = async (ms = 6000): Promise<string[]> => {
    await clock.advance(ms);
    return [...members];
  };
  return { clock, state, informer, left, end: async () => (stop.abort(), done) };
}

test("a member goes when its Node is deleted and its server is gone, not before", async () => {
  const { state, informer, left, end } = cluster();
  state.leads = true;
  informer.remove("two");
  expect(await left()).toEqual(["one", "two", "three"]);
  state.heard.delete("two");
  expect(await left()).toEqual(["one", "three"]);
  state.heard.delete("three");
  expect(await left()).toEqual(["one", "three"]);
  await end();
});

test("one that another server was to remove when it led is removed by the next that leads", async () => {
  const { state, informer, left, end } = cluster();
  state.heard.delete("two");
  informer.remove("two");
  expect(await left(60_000)).toEqual(["one", "two", "three"]);
  state.leads = true;
  expect(await left()).toEqual(["one", "three"]);
  await end();
});

test("a server that lives, or whose Node is there again, keeps its member when it is off later", async () => {
  const { clock, state, informer, left, end } = cluster();
  state.leads = true;
  informer.remove("two");
  informer.remove("three");
  await clock.advance(11_000);
  state.heard.set("two", clock.monotonic());
  informer.put(node("three"));
  await clock.advance(6000);
  state.heard.delete("two");
  state.heard.delete("three");
  expect(await left(60_000)).toEqual(["one", "two", "three"]);
  expect(clock.sleeping).toBe(0);
  await end();
});
