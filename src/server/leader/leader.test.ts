import { expect, test } from "bun:test";
import { leases, type Lease } from "../../apis/coordination/lease.ts";
import type { Client } from "../../client/client.ts";
import { startRegistry } from "../../registry/testing/fixture.ts";
import { countedClient } from "../../../test/support/counted-client.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { fencedClient } from "./fenced-client.ts";
import { Leader } from "./leader.ts";

const key = { namespace: "kube-system", name: "skiff-controllers" };

/** Servers on one store, and who does the work now; `most` is how many ever did it at once. */
async function servers() {
  const clock = new FakeClock(Date.parse("2026-01-01T00:00:00Z"));
  const fixture = await startRegistry({ clock }), { client, idle } = countedClient(fixture.client);
  const working = new Set<string>();
  let most = 0;
  const start = (identity: string, { client: own = client, drain = async () => {} }: { client?: Client; drain?: () => Promise<void> } = {}) => {
    const stuck: Error[] = [], stopWork = new AbortController(), stopLeader = new AbortController();
    const leader = new Leader({ name: key.name, identity, client: own, leases: fixture.informers.informer(leases), clock, onStuck: (error) => stuck.push(error) });
    const election = leader.run(stopLeader.signal);
    const work = leader.whileLeading(async (signal) => {
      working.add(identity);
      most = Math.max(most, working.size);
      await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve())));
      await drain();
      working.delete(identity);
    }, stopWork.signal);
    return {
      leader, stuck,
      async stop() {
        stopWork.abort();
        await work;
        stopLeader.abort();
        await election;
      },
    };
  };
  /** Time passes in steps, as it does, and answers take none of it. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 500) {
      await clock.advance(Math.min(500, left));
      do await new Promise((resolve) => setTimeout(resolve, 1)); while (await idle());
    }
  };
  return { ...fixture, client, clock, working, start, pass, most: () => most, lease: () => fixture.client.get(leases, key) };
}

/** A client whose writes of Leases fail, or never end, when told so. */
function brokenAtWill(client: Client): { client: Client; now: "works" | "fails" | "hangs" } {
  const broken = {
    now: "works" as "works" | "fails" | "hangs",
    client: new Proxy(client, {
      get(target, name) {
        const method = (Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>).bind(target);
        return (...args: unknown[]) => (broken.now === "works" ? method(...args) : broken.now === "hangs" ? new Promise(() => undefined) : Promise.reject(new Error("etcd doesn't serve")));
      },
    }),
  };
  return broken;
}

test("one of two leads, and goes on leading; at a clean stop the other begins at once", async () => {
  await using s = await servers();
  const a = s.start("a");
  await eventually(() => expect([...s.working]).toEqual(["a"]));
  const b = s.start("b");
  await s.pass(60_000);
  expect([...s.working]).toEqual(["a"]);
  expect((await s.lease()).spec).toMatchObject({ holderIdentity: "a", leaseDurationSeconds: 15, leaseTransitions: 0, acquireTime: "2026-01-01T00:00:00.000000Z", renewTime: "2026-01-01T00:01:00.000000Z" });
  await a.stop();
  await eventually(() => expect([...s.working]).toEqual(["b"]));
  expect((await s.lease()).spec).toMatchObject({ holderIdentity: "b", leaseTransitions: 1 });
  expect(s.most()).toBe(1);
  await b.stop();
  expect((await s.lease()).spec.holderIdentity).toBe("");
});

test("who dies is followed within 20 s, wherever the wall clock jumps; the one who comes back waits its turn", async () => {
  await using s = await servers();
  await s.client.create(leases, { metadata: { ...key }, spec: { holderIdentity: "dead", leaseDurationSeconds: 15, renewTime: "2031-01-01T00:00:00.000000Z", leaseTransitions: 4 } } as Lease);
  const b = s.start("b");
  await s.pass(10_000);
  s.clock.jump(-40 * 365 * 86_400_000);
  await s.pass(4_000);
  expect(b.leader.leading).toBe(false);
  s.clock.jump(80 * 365 * 86_400_000);
  await s.pass(6_000);
  await eventually(() => expect([...s.working]).toEqual(["b"]));
  expect((await s.lease()).spec.leaseTransitions).toBe(5);
  const dead = s.start("dead");
  await s.pass(30_000);
  expect([...s.working]).toEqual(["b"]);
  await Promise.all([dead.stop(), b.stop()]);
});

test("a server that was killed takes its own Lease again at once", async () => {
  await using s = await servers();
  await s.client.create(leases, { metadata: { ...key }, spec: { holderIdentity: "a", leaseDurationSeconds: 15 } } as Lease);
  const a = s.start("a");
  await eventually(() => expect(a.leader.leading).toBe(true));
  await a.stop();
});

test("a server with a copy of another's data directory doesn't lead beside it: that one ends", async () => {
  await using s = await servers();
  const first = s.start("a");
  await eventually(() => expect(first.leader.leading).toBe(true));
  await s.pass(2_000);
  const copy = s.start("a");
  await eventually(() => expect(copy.leader.leading).toBe(true));
  await s.pass(10_000);
  await eventually(() => expect(first.stuck).toEqual([expect.objectContaining({ message: expect.stringContaining("another server has a copy of this one's data directory") })]));
  expect([first.leader.leading, copy.leader.leading, copy.stuck]).toEqual([false, true, []]);
  await first.stop();
  await s.pass(30_000);
  expect([copy.leader.leading, copy.stuck]).toEqual([true, []]);
  await copy.stop();
});

test("a renewal whose answer got lost, and somebody's note on the Lease, are no other server's", async () => {
  await using s = await servers();
  let lose = false;
  const client = new Proxy(s.client, {
    get(target, name) {
      const method = (Reflect.get(target, name) as (...args: unknown[]) => Promise<unknown>).bind(target);
      return async (...args: unknown[]) => {
        const answer = await method(...args);
        if (name === "update" && lose) throw new Error("the answer got lost");
        return answer;
      };
    },
  });
  const a = s.start("a", { client });
  await eventually(() => expect(a.leader.leading).toBe(true));
  for (let round = 0; round < 3; round++) {
    lose = true;
    await s.pass(6_000);
    lose = false;
    await s.pass(6_000);
    const lease = await s.lease();
    await s.client.update(leases, { ...lease, metadata: { ...lease.metadata, annotations: { note: String(round) } } } as Lease);
    await s.pass(12_000);
  }
  expect([a.leader.leading, a.stuck, (await s.lease()).spec.leaseTransitions]).toEqual([true, [], 0]);
  await a.stop();
});

test.each(["fails", "hangs"] as const)("a leader whose renewal %s stops its work before another begins, and leads again when it may", async (how) => {
  await using s = await servers();
  const way = brokenAtWill(s.client), a = s.start("a", { client: way.client });
  await eventually(() => expect([...s.working]).toEqual(["a"]));
  const b = s.start("b");
  await s.pass(6_000);
  way.now = how;
  await s.pass(11_000);
  await eventually(() => expect(s.working.has("a")).toBe(false));
  expect(() => a.leader.mustLead()).toThrow("another server may be the leader");
  await s.pass(9_000);
  await eventually(() => expect([...s.working]).toEqual(["b"]));
  way.now = "works";
  await s.pass(30_000);
  expect([...s.working]).toEqual(["b"]);
  await b.stop();
  await s.pass(3_000);
  await eventually(() => expect([...s.working]).toEqual(["a"]));
  expect(s.most()).toBe(1);
  await a.stop();
});

test("work that doesn't stop in time is told of, before another server may begin", async () => {
  await using s = await servers();
  const never = Promise.withResolvers<void>(), way = brokenAtWill(s.client);
  const a = s.start("a", { client: way.client, drain: () => never.promise });
  await eventually(() => expect([...s.working]).toEqual(["a"]));
  way.now = "fails";
  await s.pass(14_500);
  expect(a.stuck).toEqual([]);
  await s.pass(1_000);
  await eventually(() => expect(a.stuck).toHaveLength(1));
  never.resolve();
  await a.stop();
});

test("a server that was asleep past its Lease writes nothing more", async () => {
  await using s = await servers();
  const a = s.start("a"), client = fencedClient(s.client, () => a.leader.mustLead());
  await eventually(() => expect(a.leader.leading).toBe(true));
  const object = { metadata: { namespace: "kube-system", name: "written" }, spec: {} } as Lease;
  await client.create(leases, object);
  const monotonic = s.clock.monotonic.bind(s.clock);
  s.clock.monotonic = () => monotonic() + 15_000;
  await expect(client.delete(leases, { namespace: "kube-system", name: "written" })).rejects.toThrow("another server may be the leader");
  expect((await client.get(leases, { namespace: "kube-system", name: "written" })).metadata.name).toBe("written");
  s.clock.monotonic = monotonic;
  await a.stop();
});
