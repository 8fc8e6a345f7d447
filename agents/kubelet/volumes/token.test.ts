import { describe, expect, test } from "bun:test";
import { forbidden, serviceUnavailable } from "../../../src/apimachinery/status.ts";
import { pods } from "../../../src/apis/core/pod/pod.ts";
import type { Pod } from "../../../src/apis/generated/core/v1.ts";
import type { Client } from "../../../src/client/client.ts";
import type { ValueKeeper } from "../../../src/client/object-keeper.ts";
import { FakeClock } from "../../../test/support/fake-clock.ts";
import { KeptAnswers } from "./kept-answers.ts";
import { serviceAccountTokens } from "./token.ts";

const pod: Pod = { metadata: { name: "p", namespace: "d", uid: "u" }, spec: { containers: [], serviceAccountName: "sa" } };
const hour = 3600;

function setUp(kept = new Map<string, string>()) {
  const clock = new FakeClock();
  const state = { issued: 0, answer: (n: number): Promise<string> => Promise.resolve(`token ${n}`) };
  const client = { createSubresource: async (_card: unknown, _key: unknown, _subresource: string, { spec }: { spec: object }) => ({ spec, status: { token: await state.answer(++state.issued) } }) } as unknown as Client;
  const values: ValueKeeper = {
    get: (name) => kept.get(name),
    set: (name, value) => void (value === undefined ? kept.delete(name) : kept.set(name, value)),
    forget: (prefix) => [...kept.keys()].filter((name) => name.startsWith(prefix)).forEach((name) => kept.delete(name)),
  };
  return { clock, kept, state, ...serviceAccountTokens({ client, clock, kept: new KeptAnswers({ clock, values }) }) };
}

describe("tokens", () => {
  test("are renewed after four fifths of their life, which passes whatever the clock says", async () => {
    const { clock, state, token } = setUp();
    clock.jump(-Date.parse("2026-01-01T00:00:00Z"));
    expect((await token(pod, undefined, hour)).renewAt - clock.now()).toBe(hour * 800);
    clock.jump(56 * 365 * 86_400_000);
    expect(await token(pod, undefined, hour)).toEqual({ token: "token 1", renewAt: clock.now() + hour * 800 });
    await clock.advance(hour * 800 - 1);
    clock.jump(-86_400_000);
    expect((await token(pod, undefined, hour)).token).toBe("token 1");
    await clock.advance(1);
    expect((await token(pod, undefined, hour)).token).toBe("token 2");
    expect(state.issued).toBe(2);
  });

  test.each([
    ["refuses connections", () => Promise.reject(serviceUnavailable("cannot reach the server"))],
    ["swallows packets", () => new Promise<string>(() => {})],
  ])("of an earlier process serve while the server %s, until it is back", async (_, answer) => {
    const { kept, token: before } = setUp();
    await before(pod, "a", hour);
    const { clock, state, token } = setUp(kept);
    state.answer = answer;
    const first = token(pod, "a", hour);
    await clock.advance(2000);
    const { renewAt } = await first;
    expect((await first).token).toBe("token 1");
    state.answer = async () => "fresh";
    await clock.advance(renewAt - clock.now() - 1);
    expect((await token(pod, "a", hour)).token).toBe("token 1");
    await clock.advance(1);
    expect(await token(pod, "a", hour)).toEqual({ token: "fresh", renewAt: clock.now() + hour * 800 });
  });

  test("there are none where the server refuses one, or where there never was one", async () => {
    const { kept, token: before } = setUp();
    await before(pod, "a", hour);
    const { state, token } = setUp(kept);
    state.answer = () => Promise.reject(forbidden(pods, "p", "no"));
    await expect(token(pod, "a", hour)).rejects.toThrow("no");
    state.answer = () => Promise.reject(serviceUnavailable("cannot reach the server"));
    await expect(token(pod, "b", hour)).rejects.toThrow("cannot reach");
  });

  test("go with their pod", async () => {
    const { kept, state, token, forget } = setUp();
    await token(pod, "a", hour);
    await token({ ...pod, metadata: { ...pod.metadata, uid: "u2" } }, "a", hour);
    forget("u");
    expect([...kept.keys()]).toEqual([`token/u2/a/${hour}`]);
    await token(pod, "a", hour);
    expect(state.issued).toBe(3);
  });
});
