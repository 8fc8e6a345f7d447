import { listenFront } from "../apiserver/front/listen.ts";
import type { Front, FrontOptions } from "../apiserver/front/front.ts";
import { UsageError } from "./settings.ts";

/** Opens a port; what the user can mend is said in a sentence. `flag` is the setting that chooses the port. */
export async function openPort(options: FrontOptions, flag: string, engine: "bun" | "node"): Promise<Front> {
  try {
    return await listenFront(options, engine);
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    const where = `${options.hostname}:${options.port}`;
    if (code === "EADDRINUSE") throw new UsageError(`${where} is taken by another program: stop it, or choose another port with --${flag}`, { cause: error });
    if (code === "EACCES") throw new UsageError(`${where} may not be opened: run as root, or choose a port above 1023 with --${flag}`, { cause: error });
    if (code === "EADDRNOTAVAIL") throw new UsageError(`this machine has no address ${options.hostname}: correct --bind-address`, { cause: error });
    throw error;
  }
}
