import { describe, expect, test } from "bun:test";
import type { Container, Pod } from "../../src/apis/generated/core/v1.ts";
import { behaviourOf, runOf } from "./behaviour.ts";
import { commandEnd } from "./commands.ts";

describe("well-known commands", () => {
  const cases: [string[], ReturnType<typeof commandEnd>][] = [
    [["true"], { code: 0, afterMs: 0 }],
    [["/bin/false"], { code: 1, afterMs: 0 }],
    [["sleep", "1.5"], { code: 0, afterMs: 1500 }],
    [["sleep", "1m", "2"], { code: 0, afterMs: 62_000 }],
    [["sleep", "infinity"], undefined],
    [["/bin/sh", "-c", "exit 3"], { code: 3, afterMs: 0 }],
    [["sh", "-ec", "echo 'going' > /out; sleep 2 && exit 7"], { code: 7, afterMs: 2000 }],
    [["sh", "-c", "false && exit 0"], { code: 1, afterMs: 0 }],
    [["sh", "-c", "false; exit"], { code: 1, afterMs: 0 }],
    [["sh", "-c", "exec sleep 5; exit 9"], { code: 0, afterMs: 5000 }],
    [["sh", "-c", "trap 'exit 0' TERM; while :; do sleep 1; done"], undefined],
    [["sh", "-c", "test -e /x && exit 1"], undefined],
    [["sh", "script.sh"], undefined],
    [["nginx"], undefined],
    [[], undefined],
  ];
  test.each(cases)("%p", (command, end) => {
    expect(commandEnd({ name: "c", command })).toEqual(end);
  });

  test("arguments without a command are the image's affair", () => {
    expect(commandEnd({ name: "c", args: ["true"] })).toBeUndefined();
  });
});

describe("annotations", () => {
  const container: Container = { name: "main", image: "i", command: ["true"], readinessProbe: { initialDelaySeconds: 3 } };
  const podOf = (annotations: Record<string, string>): Pod => ({ metadata: { annotations }, spec: { containers: [container], initContainers: [{ name: "init", image: "i" }] } });

  test("say how each run ends", () => {
    const behaviour = behaviourOf(podOf({ "hollow.skiff/exit": "1, 2 after 3s, running" }), container);
    expect([0, 1, 2, 9].map((restarts) => runOf(behaviour, restarts))).toEqual([{ code: 1, afterMs: 0 }, { code: 2, afterMs: 3000 }, undefined, undefined]);
  });

  test("of one container win over those of all, which leave init containers alone", () => {
    const pod = podOf({ "hollow.skiff/exit": "1", "hollow.skiff/exit.main": "2" });
    expect(behaviourOf(pod, container).runs).toEqual([{ code: 2, afterMs: 0 }]);
    expect(behaviourOf(pod, pod.spec.initContainers![0]!).runs).toEqual([undefined]);
  });

  test("say what SIGTERM does and when it is ready", () => {
    expect(behaviourOf(podOf({}), container)).toEqual({ runs: [{ code: 0, afterMs: 0 }], onStop: { code: 0, afterMs: 0 }, preStopMs: 0, startedAfterMs: 0, readyAfterMs: 3000 });
    expect(behaviourOf(podOf({ "hollow.skiff/stop": "143 after 1s", "hollow.skiff/ready": "500ms" }), container)).toMatchObject({ onStop: { code: 143, afterMs: 1000 }, readyAfterMs: 500 });
    expect(behaviourOf(podOf({ "hollow.skiff/stop": "ignored", "hollow.skiff/ready": "never" }), container)).toMatchObject({ onStop: undefined, readyAfterMs: undefined });
  });

  test("that can't be read are told of", () => {
    expect(() => behaviourOf(podOf({ "hollow.skiff/exit": "soon" }), container)).toThrow('not an exit code with a time ("1", "0 after 5s"): "soon"');
  });
});
