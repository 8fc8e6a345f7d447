import { join } from "node:path";
import type { Command } from "commander";
import { readIfExists } from "../base/files.ts";
import { UsageError } from "../server/settings.ts";

export function addTokenCommand(program: Command): void {
  program.command("token").description("Print the token that joins a node to this server's cluster")
    .option("--data-dir <dir>", "where the server keeps its data", "/var/lib/skiff")
    .action(({ dataDir }: { dataDir: string }) => {
      const file = join(dataDir, "server/token");
      const token = readIfExists(file);
      if (!token) throw new UsageError(`there is no token at ${file}: start "skiff server" first, or name its directory with --data-dir`);
      process.stdout.write(token);
    });
}
