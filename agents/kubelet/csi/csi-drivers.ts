import { join } from "node:path";
import { Backoff } from "../../../src/base/backoff.ts";
import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import { CsiDriver, type DriverNodeInfo } from "./csi-driver.ts";
import { CsiNodeObject, type CsiNodeOptions } from "./csi-node.ts";
import { followPlugins, type PluginInfo } from "./plugin-registry.ts";

/** No driver of that name is there; one may come. */
export class DriverMissing extends Error {
  override readonly name = "DriverMissing";
}

/** A driver could not take a volume back. */
export class TearDownFailed extends Error {
  override readonly name = "TearDownFailed";
}

export interface CsiDriversOptions extends CsiNodeOptions {
  /** The kubelet's. */
  rootDir: string;
  clock: Clock;
  log: Logger;
  /** Drivers came: pods that wait for one may try again. */
  onDrivers(): void;
}

interface Registered {
  driver: CsiDriver;
  plugin: PluginInfo;
  info: DriverNodeInfo;
}

/** The CSI drivers of this node: those that registered, and what the node's CSINode says of them. Source: k8s.io/kubernetes/pkg/volume/csi. */
export class CsiDrivers {
  readonly #registered = new Map<string, Registered>();
  readonly #object: CsiNodeObject;
  constructor(private readonly options: CsiDriversOptions) {
    this.#object = new CsiNodeObject(options);
  }

  get(name: string): CsiDriver | undefined {
    return this.#registered.get(name)?.driver;
  }

  /** Follows the drivers until `signal` aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { rootDir, clock, log } = this.options;
    const announced = this.announce(signal);
    await followPlugins({
      directory: join(rootDir, "plugins_registry"), clock, log, register: (plugin) => this.#register(plugin),
      withdraw: (plugin) => {
        // The kubelet that ends takes nothing away: its successor finds the drivers where they are.
        if (!signal.aborted) this.#withdraw(plugin);
      },
    }, signal);
    await announced;
    for (const { driver } of this.#registered.values()) driver.close();
  }

  /** The node's CSINode is there, be it without drivers: the scheduler counts volumes by it. Called again when the Node is another. */
  async announce(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.options, backoff = new Backoff({ base: 200, max: 60_000, jitter: 0.1 });
    while (!signal.aborted) {
      try {
        await this.#object.ensure();
        for (const [name, { info }] of this.#registered) await this.#object.add(name, info);
        return;
      } catch (error) {
        log.debug("The node's CSINode was not written, will try again", { error });
        await clock.sleep(backoff.next(), signal).catch(() => {});
      }
    }
  }

  async #register(plugin: PluginInfo): Promise<void> {
    const { type, name, endpoint, versions } = plugin;
    if (type !== "CSIPlugin") throw new Error(`plugins of the type ${JSON.stringify(type)} don't register here`);
    if (!versions.some((version) => /^v?1\./.test(version))) throw new Error(`none of the versions [${versions.join(", ")}] of the driver ${name} is supported: the node speaks CSI 1.x`);
    const driver = new CsiDriver(name, endpoint);
    try {
      const info = await driver.info();
      await this.#object.add(name, info);
      this.#registered.get(name)?.driver.close();
      this.#registered.set(name, { driver, plugin, info });
    } catch (error) {
      driver.close();
      throw error;
    }
    this.options.onDrivers();
  }

  /** An older instance of a driver that has been replaced takes nothing with it. */
  #withdraw(plugin: PluginInfo): void {
    const { name } = plugin, known = this.#registered.get(name);
    if (known?.plugin !== plugin) return;
    known.driver.close();
    this.#registered.delete(name);
    this.#object.remove(name).catch((error: unknown) => this.options.log.warn("A driver that has gone is still in the CSINode", { driver: name, error }));
  }
}
