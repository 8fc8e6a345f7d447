// What @peculiar/x509 stands on must be there before any of its modules, in whatever order the bundle has them.
import "reflect-metadata";
import { main } from "./cli/main.ts";

process.exit(await main(process.argv.slice(2)));
