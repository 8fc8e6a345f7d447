import type { Command } from "commander";
import { agentSettings, parseAgentOptions } from "../agent/options.ts";
import { addSettings } from "./setting-options.ts";

export function addAgentCommand(program: Command): void {
  const command = program.command("agent").description("Run this machine as a node of another machine's cluster");
  addSettings(command, agentSettings, async (values) => {
    const options = parseAgentOptions(values, { environment: process.env });
    const { runAgent } = await import("../agent/run.ts");
    await runAgent(options);
  });
}
