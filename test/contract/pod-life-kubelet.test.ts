import { afterAll, beforeAll, setDefaultTimeout } from "bun:test";
import { startKubeletNode, type KubeletNode } from "../support/kubelet-node.ts";
import { podLifeSuite } from "./pod-life.ts";

setDefaultTimeout(180_000);
let node: KubeletNode;
beforeAll(async () => {
  node = await startKubeletNode();
});
afterAll(() => node?.[Symbol.asyncDispose]());

podLifeSuite(() => node);
