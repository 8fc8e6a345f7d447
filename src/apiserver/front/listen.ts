import { listenBunFront } from "./bun-front.ts";
import type { Front, FrontOptions } from "./front.ts";
import { listenNodeFront } from "./node-front.ts";

export type FrontEngine = "bun" | "node";

/** Opens the TLS port. `node` is the conservative choice; both keep the same promises (test/contract/front.ts). */
export const listenFront = (options: FrontOptions, engine: FrontEngine = "bun"): Promise<Front> =>
  engine === "node" ? listenNodeFront(options) : listenBunFront(options);
