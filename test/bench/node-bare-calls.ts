// Runs on a node: `node-bare-calls.ts SOCKET CGROUP COUNT`. Starts so many sandboxes with a container each at once, as short as it can be, and prints, as
// JSON, how many milliseconds each took.
import { connectRuntime } from "../../agents/cri/containerd.ts";
import { logger } from "../../src/base/log.ts";
import { bareCalls } from "./pods.ts";

const [socket = "", cgroupParent = "", count = ""] = process.argv.slice(2);
const runtime = connectRuntime({ socket, log: logger("bench") });
const took = await Promise.all(Array.from({ length: Number(count) }, (_, i) => bareCalls(runtime, cgroupParent, i)));
process.stdout.write(JSON.stringify(took));
process.exit(0);
