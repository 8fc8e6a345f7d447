import { expect, test } from "bun:test";
import { leases } from "../apis/builtins.ts";
import { startRegistry } from "../registry/testing/fixture.ts";
import { eventually } from "../../test/support/eventually.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { apiServerIdOf, identityLease } from "./identity-lease.ts";

// What kube-apiserver 1.36.3 calls itself on a machine of this name.
test("the name is kube-apiserver's", () => expect(apiServerIdOf("vm")).toBe("apiserver-wlv32tlttr4jl3gtroqexyxapa"));

test("a lease says that the server runs: renewed in memory, mended, and gone with it", async () => {
  const clock = new FakeClock(Date.parse("2026-01-01T00:00:00Z"));
  await using fixture = await startRegistry({ clock });
  const { client } = fixture, namespace = "kube-system", name = apiServerIdOf("edge-1");
  const get = () => client.get(leases, { namespace, name });
  /** The time to the next renewal, which begins when the one before has ended. */
  const pass = async (): Promise<void> => {
    await eventually(() => expect(clock.sleeping).toBe(1));
    await clock.advance(10_000);
  };
  await client.create(leases, { metadata: { namespace, name }, spec: { holderIdentity: "the one before" } });
  const before = await get();

  const component = identityLease({ hostname: "edge-1", client, clock });
  await component.start(new AbortController().signal);
  const made = await get();
  expect(made.metadata.uid).not.toBe(before.metadata.uid);
  expect(made.metadata.labels).toEqual({ "apiserver.kubernetes.io/identity": "kube-apiserver", "kubernetes.io/hostname": "edge-1" });
  expect(made.spec).toEqual({ holderIdentity: expect.stringMatching(new RegExp(`^${name}_[0-9a-f-]{36}$`)), leaseDurationSeconds: 3600, renewTime: "2026-01-01T00:00:00.000000Z" });

  await pass();
  await eventually(async () => expect((await get()).spec?.renewTime).toBe("2026-01-01T00:00:10.000000Z"));
  expect((await get()).spec?.holderIdentity).toBe(made.spec!.holderIdentity!);
  // Renewals are not written to the disk.
  expect(leases.strategy.isVolatile!(await get(), made)).toBe(true);

  await client.delete(leases, { namespace, name });
  await pass();
  await pass();
  await eventually(async () => expect((await get()).spec?.holderIdentity).toBe(made.spec!.holderIdentity!));

  // The wall clock is set back: renewals go on by the time that passes.
  clock.jump(-3_600_000);
  await pass();
  await eventually(async () => expect((await get()).spec?.renewTime).toStartWith("2025-12-31T23:"));

  await component.stop!();
  await expect(get()).rejects.toThrow("not found");
});
