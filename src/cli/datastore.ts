import type { Command } from "commander";
import { systemClock } from "../base/clock.ts";
import { etcdSettings } from "../server/datastore/etcd-options.ts";
import { migrateToEtcd, migrateToFile } from "../server/datastore/migrate.ts";
import { keysInto } from "../server/encryption/shared-config.ts";
import { layoutOf } from "../server/layout.ts";
import { serverSettings } from "../server/options.ts";
import { parseServerOptions } from "../server/parse-options.ts";
import { defaultConfigFile, readSettings, UsageError } from "../server/settings.ts";
import { dataDirOption } from "./data-dir.ts";
import { addSettingFlags, kebab } from "./setting-options.ts";

export function addDatastoreCommand(program: Command): void {
  const datastore = program.command("datastore").description("Where the cluster's state is kept");
  const migrate = datastore.command("migrate")
    .description("Move the cluster's state from the file on this machine into the etcd of --datastore-endpoint, which must be empty, while the server is stopped")
    .addOption(dataDirOption())
    .option("-c, --config <file>", "the server's settings", process.env["SKIFF_CONFIG"] ?? defaultConfigFile)
    .option("--to-file", "the other way: from etcd into the file, which must not be there, while all servers are stopped");
  addSettingFlags(migrate, etcdSettings);
  migrate.action(async (flags: Record<string, unknown>) => {
    const configFile = String(flags["config"]);
    const options = parseServerOptions({ ...readSettings(serverSettings, { flags: kebab(flags), environment: process.env, configFile, configRequired: configFile !== defaultConfigFile }), config: configFile });
    const { etcd } = options.datastore;
    if (!etcd) throw new UsageError("name the members of etcd with --datastore-endpoint, here or in the server's settings");
    const layout = layoutOf(options.dataDir), { databaseFile } = layout, dependencies = { databaseFile, etcd, clock: systemClock };
    const print = (text: string): void => void process.stdout.write(`${text}\n`);
    if (flags["toFile"]) {
      const { revision } = await migrateToFile({ ...dependencies, onFence: keysInto(layout) });
      return print(`The cluster, as of revision ${revision}, is in ${databaseFile}. Start the server without --datastore-endpoint. What etcd holds is not used any more: delete it when all is well.`);
    }
    const { revision, setAside } = await migrateToEtcd(dependencies);
    print(`The cluster, as of revision ${revision}, is in etcd. Start the server with --datastore-endpoint and what belongs to it. Its file lies in ${setAside} now: delete that when all is well.`);
  });
}
