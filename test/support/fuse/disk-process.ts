// A program of its own: `bun disk-process.ts <mount point>`, told what to do by its parent (see disk.ts). It goes, and its mount with it, when the parent does.
import { dlopen, FFIType } from "bun:ffi";
import { closeSync, openSync, read, rmdirSync, writeSync } from "node:fs";
import { promisify } from "node:util";
import { mount } from "../../../agents/kubelet/volumes/mount.ts";
import { Device, type Faults } from "./device.ts";
import { Operation, parseRequest, requestBytes } from "./protocol.ts";

/** What the parent asks, answered in order. */
export type DiskCommand =
  | { type: "mount" }
  | { type: "unmount" }
  | { type: "faults"; faults: Faults }
  | { type: "counters" }
  | { type: "forgetCounters" }
  | { type: "sync" }
  | { type: "used" }
  | { type: "powerOff" }
  /** Power off by itself, amid the `requests`th request that changes something. */
  | { type: "powerOffAfter"; requests: number }
  | { type: "powerOn"; seed?: number };

export type DiskMessage = { answer: unknown } | { failure: string } | { event: "mounted" | "powerLost" };

/** umount2(2): force ends requests under way, detach takes the mount away though it is in use. */
const forceAndDetach = 1 | 2;
const libc = dlopen("libc.so.6", { umount2: { args: [FFIType.cstring, FFIType.i32], returns: FFIType.i32 } });

const readAsync = promisify(read);
const device = new Device();
const mountPoint = process.argv[2]!;
let connection: number | undefined;

const tell = (message: DiskMessage): void => void process.send!(message);

function attach(): void {
  const fd = connection = openSync("/dev/fuse", "r+");
  mount("skiff-test-disk", mountPoint, "fuse", 0, `fd=${fd},rootmode=40755,user_id=0,group_id=0`);
  void serve(fd);
}

/** Whoever has files open there sees them fail from now on. */
function detach(): void {
  if (connection === undefined) return;
  libc.symbols.umount2(Buffer.from(`${mountPoint}\0`), forceAndDetach);
  closeSync(connection);
  connection = undefined;
}

async function serve(fd: number): Promise<void> {
  const buffer = new Uint8Array(requestBytes);
  while (connection === fd) {
    let length: number;
    try {
      length = (await readAsync(fd, buffer, 0, buffer.length, null)).bytesRead;
    } catch {
      return; // unmounted
    }
    if (length === 0) return;
    const request = parseRequest(buffer);
    void device.answer(request).then((reply) => {
      if (!reply || connection !== fd) return;
      try {
        writeSync(fd, reply);
      } catch {
        // Whoever asked was killed meanwhile.
      }
      if (request.operation === Operation.init) tell({ event: "mounted" });
    });
  }
}

function execute(command: DiskCommand): unknown {
  switch (command.type) {
    case "mount": return attach();
    case "unmount": return detach();
    case "faults": return device.setFaults(command.faults);
    case "counters": return device.counters();
    case "forgetCounters": return device.forgetCounters();
    case "sync": return device.volume.sync();
    case "used": return device.volume.usedBytes;
    case "powerOff": return device.powerOff();
    case "powerOffAfter": return device.setFuse({ requests: command.requests, blown: () => tell({ event: "powerLost" }) });
    case "powerOn": return device.powerOn(command.seed);
  }
}

process.on("message", (command: DiskCommand) => {
  try {
    tell({ answer: execute(command) ?? null });
  } catch (error) {
    tell({ failure: (error as Error).message });
  }
});
process.on("disconnect", () => {
  detach();
  rmdirSync(mountPoint);
  process.exit();
});
