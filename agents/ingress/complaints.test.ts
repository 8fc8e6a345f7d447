import { expect, test } from "bun:test";
import type { Ingress } from "../../src/apis/generated/networking/v1.ts";
import { FakeClock } from "../../test/support/fake-clock.ts";
import { Complaints } from "./complaints.ts";
import type { Problem } from "./routes.ts";

const problem = (uid: string, message: string): Problem => ({ ingress: { metadata: { name: "a", namespace: "default", uid }, spec: {} } as Ingress, reason: "NotServed", message });

function start() {
  const clock = new FakeClock(), told: string[] = [];
  const complaints = new Complaints({ clock, recorder: { event: (about, type, reason, message) => void told.push(`${(about as Ingress).metadata.uid} ${type} ${reason} ${message}`) } });
  return { clock, told, complaints };
}

test("what is missing for a moment only, as while a file is applied, is not complained of", async () => {
  const { clock, told, complaints } = start();
  complaints.set([problem("1", "there is no secret default/a")]);
  await clock.advance(600);
  complaints.set([]);
  await clock.advance(10_000);
  expect(told).toEqual([]);
});

test("what lasts is told once, also while other things change; and again when it comes back", async () => {
  const { clock, told, complaints } = start();
  for (let i = 0; i < 5; i++) {
    complaints.set([problem("1", "no service"), ...(i === 3 ? [problem("2", "no service")] : [])]);
    await clock.advance(1_000);
  }
  expect(told).toEqual(["1 Warning NotServed no service"]);
  complaints.set([]);
  complaints.set([problem("1", "no service")]);
  await clock.advance(2_000);
  expect(told).toHaveLength(2);
});

test("gone and back within the moment, it has to last anew", async () => {
  const { clock, told, complaints } = start();
  complaints.set([problem("1", "no service")]);
  await clock.advance(1_500);
  complaints.set([]);
  complaints.set([problem("1", "no service")]);
  await clock.advance(1_500);
  expect(told).toEqual([]);
  await clock.advance(500);
  expect(told).toHaveLength(1);
});
