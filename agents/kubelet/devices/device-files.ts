import { readdirSync, readFileSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import type { DeviceSetting } from "../../../src/apis/kubeletconfig/device-setting.ts";

/** A device of this machine. Its id stays when it is plugged in again. */
export interface LocalDevice {
  id: string;
  /** The files it is used by, under all names they have. */
  files: readonly { hostPath: string; containerPath: string }[];
}

/** Where the kernel shows devices; others for tests. */
export interface DeviceRoots {
  dev: string;
  sys: string;
}

export const machine: DeviceRoots = { dev: "/dev", sys: "/sys" };

/** Links that udev names after what a device is, not after when it came. */
const aliasFolders = ["serial/by-id", "v4l/by-id", "input/by-id", "disk/by-id"];

/** What there is now of what a setting means, by id. */
export function findDevices({ paths, usb, all }: DeviceSetting, roots: DeviceRoots = machine): LocalDevice[] {
  const aliases = aliasesOf(roots);
  const found = new Map<string, LocalDevice>();
  const add = (device: LocalDevice): void => {
    if (!found.has(device.id)) found.set(device.id, device);
  };
  for (const path of paths.flatMap(expandGlob)) {
    const real = deviceAt(path);
    if (real) add(deviceOf(real, path, aliases.get(real) ?? []));
  }
  for (const wanted of usb) for (const device of usbDevices(roots).filter(({ vendor, product, serial }) => vendor === wanted.vendor && product === wanted.product && (wanted.serial ?? serial) === serial)) add(usbDevice(device, aliases));
  const devices = [...found.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
  return all ? [{ id: "all", files: devices.flatMap(({ files }) => files) }] : devices;
}

/** The folders in which devices that a setting means may come and go: those that exist. */
export function foldersOf({ paths, usb }: DeviceSetting, roots: DeviceRoots = machine): string[] {
  const wanted = paths.flatMap((path) => {
    const parts = path.split("/").slice(0, -1);
    const fixed = parts.findIndex(isPattern);
    return [parts.slice(0, fixed < 0 ? undefined : fixed).join("/") || "/"];
  });
  if (usb.length > 0) wanted.push(join(roots.dev, "bus/usb"), ...namesIn(join(roots.dev, "bus/usb")).map((bus) => join(roots.dev, "bus/usb", bus)));
  wanted.push(...aliasFolders.map((folder) => join(roots.dev, folder)));
  return [...new Set(wanted.map(nearest))];
}

function deviceOf(real: string, path: string, aliases: readonly string[]): LocalDevice {
  const names = [...new Set([real, path, ...aliases])];
  const stable = aliases[0] ?? path;
  return { id: idOf(stable.slice(stable.lastIndexOf("/") + 1)), files: names.map((name) => ({ hostPath: real, containerPath: name })) };
}

interface UsbDevice {
  vendor: string;
  product: string;
  serial: string;
  /** Where it is plugged in, such as `1-1.2`. */
  port: string;
  /** Its own file, and those of its functions: serial lines, cameras. */
  files: string[];
}

function usbDevice({ vendor, product, serial, port, files }: UsbDevice, aliases: ReadonlyMap<string, string[]>): LocalDevice {
  const named = files.flatMap((file) => [file, ...aliases.get(file) ?? []].map((containerPath) => ({ hostPath: file, containerPath })));
  return { id: idOf(`${vendor}-${product}-${serial || port}`), files: named };
}

function usbDevices({ dev, sys }: DeviceRoots): UsbDevice[] {
  const folder = join(sys, "bus/usb/devices");
  return namesIn(folder).flatMap((port) => {
    const at = (name: string): string => tryRead(join(folder, port, name));
    const [vendor, product, bus, device] = ["idVendor", "idProduct", "busnum", "devnum"].map(at);
    if (!vendor || !product || !bus || !device) return [];
    const own = join(dev, "bus/usb", bus.padStart(3, "0"), device.padStart(3, "0"));
    const functions = namesIn(folder).filter((name) => name.startsWith(`${port}:`)).flatMap((name) => functionsOf(join(folder, name)));
    return [{ vendor, product, serial: at("serial"), port, files: [own, ...functions.map((name) => join(dev, name))].filter((file) => deviceAt(file) !== undefined) }];
  });
}

/** Names of device files that the interface of a USB device has given rise to. */
function functionsOf(folder: string): string[] {
  const names = namesIn(folder);
  return [...names.filter((name) => /^ttyUSB\d+$/.test(name)), ...["tty", "video4linux"].filter((kind) => names.includes(kind)).flatMap((kind) => namesIn(join(folder, kind)))];
}

/** Paths of links by the device they lead to. */
function aliasesOf({ dev }: DeviceRoots): Map<string, string[]> {
  const aliases = new Map<string, string[]>();
  for (const folder of aliasFolders) {
    for (const name of namesIn(join(dev, folder)).sort()) {
      const path = join(dev, folder, name), real = deviceAt(path);
      if (real) aliases.set(real, [...aliases.get(real) ?? [], path]);
    }
  }
  return aliases;
}

/** The device file behind a path; undefined when there is none. */
function deviceAt(path: string): string | undefined {
  try {
    const real = realpathSync(path), stat = statSync(real);
    return stat.isCharacterDevice() || stat.isBlockDevice() ? real : undefined;
  } catch {
    return undefined;
  }
}

const isPattern = (part: string): boolean => /[*?[\]{}]/.test(part);

function expandGlob(pattern: string): string[] {
  return pattern.split("/").filter(Boolean).reduce<string[]>((found, part) => {
    if (!isPattern(part)) return found.map((path) => `${path}/${part}`);
    const glob = new Bun.Glob(part);
    return found.flatMap((path) => namesIn(path || "/").filter((name) => glob.match(name)).sort().map((name) => `${path}/${name}`));
  }, [""]);
}

/** The folder, or the nearest above it that exists. */
function nearest(folder: string): string {
  const isThere = statSync(folder, { throwIfNoEntry: false })?.isDirectory();
  return isThere || folder === "/" ? folder : nearest(folder.slice(0, folder.lastIndexOf("/")) || "/");
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function tryRead(file: string): string {
  try {
    return readFileSync(file, "utf8").trim();
  } catch {
    return "";
  }
}

/** What other programs may make of an id is not known: plain characters alone. */
const idOf = (name: string): string => name.replace(/[^\w.-]+/g, "_");
