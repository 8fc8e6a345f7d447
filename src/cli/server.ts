import type { Command } from "commander";
import { serverSettings } from "../server/options.ts";
import { parseServerOptions } from "../server/parse-options.ts";
import { addSettings } from "./setting-options.ts";

export function addServerCommand(program: Command): void {
  const command = program.command("server").description("Run the control plane, and this machine as a node of it unless --disable-agent");
  addSettings(command, serverSettings, async (values) => {
    const options = parseServerOptions(values);
    // An agent never needs it, and is smaller without.
    const { runServer } = await import("../server/run.ts");
    await runServer(options);
  });
}
