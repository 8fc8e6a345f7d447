import { listenBunFront } from "../../src/apiserver/front/bun-front.ts";
import { frontContract } from "./front.ts";

frontContract("bun-front", listenBunFront);
