import { listenBunFront } from "./bun-front.ts";
import type { ListenFront } from "./front.ts";

/** Opens the TLS port with the implementation that is meant for daily use. */
export const listenFront: ListenFront = listenBunFront;
