import { expect, test } from "bun:test";
import { leases } from "../../apis/coordination/lease.ts";
import { startRegistry } from "../../registry/testing/fixture.ts";
import { countedClient } from "../../../test/support/counted-client.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { LiveServers } from "./live-servers.ts";

test("servers come, move, go and die, and the leader tells each time", async () => {
  const clock = new FakeClock();
  await using f = await startRegistry({ clock });
  const { client, idle } = countedClient(f.client);
  const start = async (name: string, address: string) => {
    const servers = new LiveServers({ name, identity: `${name}_1`, client, leases: f.informers.informer(leases), clock, encryption: () => ({ revision: 0, problem: undefined }) }), component = servers.component();
    await component.start(new AbortController().signal);
    await servers.announce({ address, port: 6443 });
    return { servers, component };
  };
  /** Time passes in steps, as it does, and answers take none of it. */
  const pass = async (ms: number): Promise<void> => {
    for (let left = ms; left > 0; left -= 500) {
      await clock.advance(500);
      do await new Promise((resolve) => setTimeout(resolve, 1)); while (await idle());
    }
  };
  const a = await start("a", "192.0.2.1");
  const published: string[][] = [], stop = new AbortController();
  const keeping = a.servers.keep(async () => void published.push(a.servers.all.map(({ address }) => address!)), stop.signal);
  const now = (addresses: string[]) => eventually(() => expect(published.at(-1)).toEqual(addresses));
  await now(["192.0.2.1"]);

  const b = await start("b", "192.0.2.2"), c = await start("c", "192.0.2.3");
  await now(["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
  await b.servers.announce({ address: "192.0.2.22", port: 6443 });
  await now(["192.0.2.1", "192.0.2.22", "192.0.2.3"]);
  const told = published.length;
  await pass(60_000);
  clock.jump(365 * 86_400_000);
  await pass(60_000);
  // Renewals are no news.
  expect(published.slice(told).every((each) => each.length === 3)).toBe(true);
  expect(published.length - told).toBeLessThan(12);

  await c.component.stop!();
  await now(["192.0.2.1", "192.0.2.22"]);

  // Tells once that it lives, and never goes.
  const mute = new LiveServers({ name: "d", identity: "d_1", client, leases: f.informers.informer(leases), clock, encryption: () => ({ revision: 0, problem: undefined }) });
  await mute.announce({ address: "192.0.2.4", port: 6443 });
  await now(["192.0.2.1", "192.0.2.22", "192.0.2.4"]);
  await pass(18_000);
  expect(published.at(-1)).toContain("192.0.2.4");
  await pass(3_000);
  await now(["192.0.2.1", "192.0.2.22"]);
  await expect(f.client.get(leases, { namespace: "kube-system", name: "skiff-server-d" })).rejects.toThrow("not found");

  stop.abort();
  await keeping;
  await Promise.all([a, b].map(({ component }) => component.stop!()));
  expect((await f.client.list(leases, { namespace: "kube-system" })).items).toEqual([]);
});
