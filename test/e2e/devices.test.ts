import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { skiffForThisFile } from "../support/e2e.ts";
import { eventually } from "../support/eventually.ts";
import { pod, shell } from "../support/workloads.ts";

/** Devices of the machine by configuration; all of these are /dev/null. */
const dev = mkdtempSync(join(tmpdir(), "skiff-dev-"));
afterAll(() => rmSync(dev, { recursive: true }));
function plug(name: string): void {
  expect(Bun.spawnSync(["mknod", join(dev, name), "c", "1", "3"]).exitCode).toBe(0);
}
plug("ttyX0");

const skiff = await skiffForThisFile({ flags: ["--device", `radio=${dev}/ttyX*`, "--kubelet-arg", "max-pods=42", "--kubelet-arg", "kube-reserved=cpu=100m,memory=64Mi"] });
const { kubectl } = skiff;
const wanting = (name: string) => pod(name, shell('test -c "$SKIFF_DEVICE_RADIO" && echo hello > "$SKIFF_DEVICE_RADIO" && echo "got $SKIFF_DEVICE_RADIO as $(id -u)"; sleep 1000', { resources: { limits: { "skiff.io/radio": "1" } }, securityContext: { runAsUser: 1000 } }));

test("a pod gets a device without being privileged, nor root", async () => {
  await kubectl.apply(wanting("first"));
  await kubectl("wait", "--for=condition=Ready", "pod/first", "--timeout=90s");
  await eventually(async () => expect(await kubectl("logs", "first")).toBe(`got ${dev}/ttyX0 as 1000\n`));
});

test("another waits for one, and gets it when it is plugged in", async () => {
  await kubectl.apply(wanting("second"));
  await eventually(async () => expect(await kubectl.eventsOf("second")).toContain("Insufficient skiff.io/radio"));
  plug("ttyX1");
  await kubectl("wait", "--for=condition=Ready", "pod/second", "--timeout=90s");
  const { status } = await kubectl.get("pod", "second");
  expect(status.containerStatuses[0].allocatedResourcesStatus).toEqual([{ name: "skiff.io/radio", resources: [{ resourceID: "ttyX1", health: "Healthy" }] }]);
});

test("what the kubelet's settings reserve is not for pods", async () => {
  const { status: { capacity, allocatable } } = await kubectl.get("node", "node-1");
  expect([capacity.pods, capacity["skiff.io/radio"]]).toEqual(["42", "2"]);
  expect(Number(capacity.cpu) * 1000 - Number(allocatable.cpu.replace("m", ""))).toBe(100);
  expect(Number.parseInt(capacity.memory) - Number.parseInt(allocatable.memory)).toBe((100 + 64) * 1024);
});

test("a mistake is told before anything starts", async () => {
  const { exitCode, stderr } = await skiff.command("server", "--device", "radio=ttyUSB0");
  expect(exitCode).toBe(1);
  expect(stderr).toContain("neither a path such as /dev/ttyUSB* nor usb:VENDOR:PRODUCT");
});
