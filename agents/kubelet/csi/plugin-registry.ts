import { lstatSync, mkdirSync, readdirSync, watch } from "node:fs";
import { join } from "node:path";
import { Backoff } from "../../../src/base/backoff.ts";
import type { Clock } from "../../../src/base/clock.ts";
import type { Logger } from "../../../src/base/log.ts";
import { GrpcChannel } from "../../../src/base/grpc/channel.ts";
import { csiCodec } from "./csi-api.ts";

/** What a plugin says of itself over its registration socket. */
export interface PluginInfo {
  type: string;
  name: string;
  /** The socket that it serves at. */
  endpoint: string;
  versions: readonly string[];
}

export interface PluginRegistryOptions {
  /** `<root>/plugins_registry` */
  directory: string;
  clock: Clock;
  log: Logger;
  /** A plugin has come, or come back. Throws to refuse it, with the reason. */
  register(plugin: PluginInfo): Promise<void>;
  /** Its registration socket has gone. */
  withdraw(plugin: PluginInfo): void;
}

const callTimeoutMs = 10_000;

/**
 * Finds plugins by the sockets that they put into a directory, asks each who it is, and tells it how that went; until `signal` aborts. One that
 * doesn't answer yet is asked again. Source: https://kubernetes-csi.github.io/docs/node-driver-registrar.html, k8s.io/kubernetes/pkg/kubelet/pluginmanager.
 */
export async function followPlugins(options: PluginRegistryOptions, signal: AbortSignal): Promise<void> {
  const { directory } = options;
  mkdirSync(directory, { recursive: true, mode: 0o750 });
  const sockets = new Map<string, { stop: AbortController; done: Promise<void>; inode: number }>();

  const look = (): void => {
    const found = new Map(socketsIn(directory));
    for (const [path, { stop, inode }] of sockets) {
      // Another file of the same name is a plugin that was started anew.
      if (found.get(path) === inode) continue;
      stop.abort();
      sockets.delete(path);
    }
    for (const [path, inode] of found) {
      if (sockets.has(path)) continue;
      const stop = new AbortController();
      sockets.set(path, { stop, inode, done: follow(options, path, AbortSignal.any([signal, stop.signal])) });
    }
  };
  const watcher = watch(directory, look);
  try {
    look();
    await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
  } finally {
    watcher.close();
    await Promise.all([...sockets.values()].map(({ done }) => done));
  }
}

const socketsIn = (directory: string): [path: string, inode: number][] => readdirSync(directory).map((name) => join(directory, name)).flatMap((path): [string, number][] => {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isSocket() ? [[path, stat.ino]] : [];
});

/** Registers the plugin behind a socket and withdraws it when `signal` aborts, but not when the whole kubelet ends: its volumes stay in use. */
async function follow({ clock, log, register, withdraw }: PluginRegistryOptions, path: string, signal: AbortSignal): Promise<void> {
  const channel = new GrpcChannel(path, "the plugin");
  const backoff = new Backoff({ base: 500, max: 60_000, jitter: 0.1 });
  const call = async (method: string, request: [type: string, message: Record<string, unknown>], answer: string): Promise<Record<string, unknown>> =>
    csiCodec.decode(answer, await channel.unary(`/pluginregistration.Registration/${method}`, csiCodec.encode(...request), { timeoutMs: callTimeoutMs, signal }));
  try {
    for (;;) {
      try {
        const { type = "", name = "", endpoint = "", supportedVersions = [] } = await call("GetInfo", ["InfoRequest", {}], "PluginInfo") as { type?: string; name?: string; endpoint?: string; supportedVersions?: string[] };
        const plugin = { type, name, endpoint: endpoint || path, versions: supportedVersions };
        try {
          await register(plugin);
        } catch (error) {
          await call("NotifyRegistrationStatus", ["RegistrationStatus", { pluginRegistered: false, error: (error as Error).message }], "RegistrationStatusResponse").catch(() => {});
          throw error;
        }
        await call("NotifyRegistrationStatus", ["RegistrationStatus", { pluginRegistered: true }], "RegistrationStatusResponse").catch((error: unknown) => {
          // One that goes before it has answered was registered all the same.
          if (!signal.aborted) throw error;
        });
        log.info("A plugin has registered", { type, name });
        await new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener("abort", () => resolve(), { once: true })));
        withdraw(plugin);
        return;
      } catch (error) {
        if (signal.aborted) return;
        log.warn("A plugin could not be registered, will try again", { socket: path, error });
        await clock.sleep(backoff.next(), signal);
      }
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    channel.close();
  }
}
