import { listenBunFront } from "../../src/apiserver/front/bun-front.ts";
import { listenNodeFront } from "../../src/apiserver/front/node-front.ts";
import { frontContract } from "./front.ts";

frontContract("bun-front", listenBunFront);
frontContract("node-front", listenNodeFront);
