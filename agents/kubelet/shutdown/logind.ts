import { writeFileAtomic } from "../../../src/base/files.ts";
import type { Clock } from "../../../src/base/clock.ts";
import { Dbus, systemBusSocket } from "./dbus.ts";

/** What puts off the machine's going down, until it is released or this process ends. */
export interface InhibitorLock {
  release(): void;
}

export interface LogindOptions {
  clock: Clock;
  /** Default: where the system's bus listens. */
  socket?: string;
  /** Default `/etc/systemd/logind.conf.d`. */
  configDirectory?: string;
  /** Default: by systemd-inhibit, which holds the lock for as long as its child reads from us. */
  inhibit?(): InhibitorLock;
}

const manager = { destination: "org.freedesktop.login1", path: "/org/freedesktop/login1", interface: "org.freedesktop.login1.Manager" };
/** How often logind is asked whether it has read its configuration; twice as long after each time. */
const firstReloadMs = 100, reloadTries = 6;

/** systemd's logind, which tells that the machine is about to go down, and waits a while for those who ask for it. Source: https://systemd.io/INHIBITOR_LOCKS/. */
export class Logind {
  private constructor(private readonly bus: Dbus, private readonly options: LogindOptions) {}

  /** `onShutdown` hears that the machine is going down, and when it has changed its mind. */
  static async connect(options: LogindOptions, onShutdown: (goesDown: boolean) => void): Promise<Logind> {
    const bus = await Dbus.connect(options.socket ?? systemBusSocket(), ({ interface: of, member, body: [goesDown] }) => {
      if (of === manager.interface && member === "PrepareForShutdown" && typeof goesDown === "boolean") onShutdown(goesDown);
    });
    try {
      const rule = `type='signal',interface='${manager.interface}',member='PrepareForShutdown',path='${manager.path}'`;
      await bus.call({ destination: "org.freedesktop.DBus", path: "/org/freedesktop/DBus", interface: "org.freedesktop.DBus", member: "AddMatch", signature: "s", body: [rule] });
    } catch (error) {
      bus.close();
      throw error;
    }
    return new Logind(bus, options);
  }

  get closed(): Promise<void> {
    return this.bus.closed;
  }

  close(): void {
    this.bus.close();
  }

  inhibit(): InhibitorLock {
    return (this.options.inhibit ?? systemdInhibit)();
  }

  /** For how long logind waits at most, in milliseconds. */
  async inhibitDelay(): Promise<number> {
    const [answer] = await this.bus.call({ ...manager, interface: "org.freedesktop.DBus.Properties", member: "Get", signature: "ss", body: [manager.interface, "InhibitDelayMaxUSec"] });
    const { value } = answer as { value: bigint };
    return Number(value / 1000n);
  }

  /** Makes logind wait that long. Throws when it doesn't listen. */
  async raiseInhibitDelay(ms: number): Promise<void> {
    if (await this.inhibitDelay() >= ms) return;
    writeFileAtomic(`${this.options.configDirectory ?? "/etc/systemd/logind.conf.d"}/99-skiff.conf`, `# Time for pods to end when the machine goes down.\n[Login]\nInhibitDelayMaxSec=${Math.ceil(ms / 1000)}\n`, 0o644);
    await this.bus.call({ destination: "org.freedesktop.systemd1", path: "/org/freedesktop/systemd1", interface: "org.freedesktop.systemd1.Manager", member: "KillUnit", signature: "ssi", body: ["systemd-logind.service", "all", 1] });
    for (let attempt = 0; attempt < reloadTries; attempt++) {
      if (await this.inhibitDelay() >= ms) return;
      await this.options.clock.sleep(firstReloadMs * 2 ** attempt);
    }
    throw new Error(`logind waits ${await this.inhibitDelay() / 1000} s at most when the machine goes down, not the ${ms / 1000} s that pods were promised: set InhibitDelayMaxSec in its logind.conf`);
  }
}

function systemdInhibit(): InhibitorLock {
  const child = Bun.spawn(["systemd-inhibit", "--what=shutdown", "--mode=delay", "--who=skiff", "--why=Pods are given time to end", "cat"], { stdin: "pipe", stdout: "ignore", stderr: "ignore" });
  return { release: () => void child.stdin.end() };
}
