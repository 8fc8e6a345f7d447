import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseDeviceSetting } from "../../../src/apis/kubeletconfig/device-setting.ts";
import { systemClock } from "../../../src/base/clock.ts";
import { logger } from "../../../src/base/log.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { DeviceCheckpoints } from "./device-checkpoint.ts";
import { findDevices } from "./device-files.ts";
import { DeviceManager } from "./device-manager.ts";
import { LocalDevices } from "./local-devices.ts";

setDefaultTimeout(180_000);

let root = "";
const roots = () => ({ dev: join(root, "dev"), sys: join(root, "sys") });
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "skiff-dev-"));
  mkdirSync(join(root, "dev"));
});
afterEach(() => rmSync(root, { recursive: true }));

/** A character device, all of which are /dev/null. */
function plug(name: string): string {
  const path = join(root, "dev", name);
  mkdirSync(dirname(path), { recursive: true });
  expect(Bun.spawnSync(["mknod", path, "c", "1", "3"]).exitCode).toBe(0);
  return path;
}
function link(name: string, target: string): void {
  mkdirSync(dirname(join(root, "dev", name)), { recursive: true });
  symlinkSync(target, join(root, "dev", name));
}
function plugUsb(port: string, fields: Readonly<Record<string, string>>): void {
  const folder = join(root, "sys/bus/usb/devices", port);
  mkdirSync(folder, { recursive: true });
  for (const [name, value] of Object.entries(fields)) writeFileSync(join(folder, name), `${value}\n`);
}
const setting = (text: string) => parseDeviceSetting(text.replaceAll("DEV", join(root, "dev")));

test("devices are found by globs, under the name that stays where there is one", () => {
  const first = plug("ttyUSB0"), second = plug("ttyUSB1");
  writeFileSync(join(root, "dev/ttyUSB9"), "a plain file");
  link("serial/by-id/usb-FTDI_A7", second);
  expect(findDevices(setting("serial=DEV/ttyUSB*"), roots())).toEqual([
    { id: "ttyUSB0", files: [{ hostPath: first, containerPath: first }] },
    { id: "usb-FTDI_A7", files: [{ hostPath: second, containerPath: second }, { hostPath: second, containerPath: join(root, "dev/serial/by-id/usb-FTDI_A7") }] },
  ]);
  expect(findDevices(setting("serial=DEV/serial/by-id/*|DEV/ttyUSB1"), roots()).map(({ id }) => id)).toEqual(["usb-FTDI_A7"]);
});

test("all of them as one, also when there are none", () => {
  expect(findDevices(setting("board=DEV/gpiochip*;all"), roots())).toEqual([{ id: "all", files: [] }]);
  plug("gpiochip0");
  plug("gpiochip1");
  expect(findDevices(setting("board=DEV/gpiochip*;all"), roots())[0]!.files).toHaveLength(2);
});

test("USB devices are found by vendor, product and serial number, with what they are used by", () => {
  const own = plug("bus/usb/001/004"), line = plug("ttyUSB3");
  plug("bus/usb/001/005");
  plugUsb("1-1.2", { idVendor: "0403", idProduct: "6001", serial: "A7/x", busnum: "1", devnum: "4" });
  mkdirSync(join(root, "sys/bus/usb/devices/1-1.2:1.0/ttyUSB3"), { recursive: true });
  plugUsb("1-1.3", { idVendor: "0403", idProduct: "6001", busnum: "1", devnum: "5" });
  plugUsb("usb1", { idVendor: "1d6b", idProduct: "0002", busnum: "1", devnum: "1" });
  const found = findDevices(setting("radio=usb:0403:6001"), roots());
  expect(found.map(({ id }) => id)).toEqual(["0403-6001-1-1.3", "0403-6001-A7_x"]);
  expect(found[1]!.files.map(({ hostPath }) => hostPath)).toEqual([own, line]);
  expect(findDevices(setting("radio=usb:0403:6001:A7/x"), roots())).toHaveLength(1);
});

test("plugs are noticed as they come and go, folders too; a device keeps its id at another path", async () => {
  const capacities: string[] = [];
  const manager: DeviceManager = new DeviceManager({
    checkpoints: new DeviceCheckpoints(join(root, "checkpoint"), logger("test")), clock: systemClock, log: logger("test"), onHealth: () => undefined,
    onCapacity: () => capacities.push(manager.capacity().allocatable["skiff.io/serial"]!),
  });
  const stop = new AbortController();
  const source = new LocalDevices({ setting: setting("serial=DEV/serial/by-id/*;count=2"), manager, clock: systemClock, log: logger("test"), roots: roots() });
  const running = source.run(stop.signal);
  try {
    const path = plug("ttyUSB0");
    link("serial/by-id/usb-A", path);
    await eventually(async () => expect(manager.capacity().allocatable).toEqual({ "skiff.io/serial": "2" }));
    const pod = { metadata: { uid: "u" }, spec: { containers: [{ name: "c", resources: { limits: { "skiff.io/serial": "1" } } }] } } as never;
    expect(await manager.allocate(pod, () => true)).toBeUndefined();
    expect(await manager.grantFor(pod, { name: "c" })).toMatchObject({ envs: { SKIFF_DEVICE_SERIAL: path }, devices: [{ hostPath: path, containerPath: path, permissions: "rw" }, { hostPath: path, containerPath: join(root, "dev/serial/by-id/usb-A") }] });

    rmSync(join(root, "dev/serial"), { recursive: true });
    rmSync(path);
    await eventually(async () => expect(manager.capacity().allocatable).toEqual({ "skiff.io/serial": "0" }));
    expect(manager.statusOf("u", "c")![0]!.resources).toEqual([{ resourceID: "usb-A::0", health: "Unhealthy" }]);
    await expect(manager.grantFor(pod, { name: "c" })).rejects.toThrow("the device usb-A of skiff.io/serial is not plugged in");

    const other = plug("ttyUSB7");
    link("serial/by-id/usb-A", other);
    await eventually(async () => expect(manager.capacity().allocatable).toEqual({ "skiff.io/serial": "2" }));
    expect((await manager.grantFor(pod, { name: "c" })).envs).toEqual({ SKIFF_DEVICE_SERIAL: other });
  } finally {
    stop.abort();
    await running;
  }
});

test("a container that wants several shared ones gets different ones, and those that few have", async () => {
  const source = new LocalDevices({ setting: setting("serial=DEV/x;count=3"), roots: roots() } as never);
  expect(await source.preferred(["a::1", "a::2", "b::0", "b::1", "b::2"], [], 2)).toEqual(["b::0", "a::1"]);
  expect(await source.preferred(["a::1", "a::2", "b::0"], [], 3)).toEqual(["a::1", "b::0", "a::2"]);
});
