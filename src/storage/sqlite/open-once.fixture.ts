// Run by the tests as a process of its own: opens the file named and says how that went.
import { SqliteStorage } from "./sqlite-storage.ts";

const outcome = await SqliteStorage.open({ path: process.argv[2]! }).then((storage) => storage.close().then(() => "opened"), (error: Error) => error.message);
process.stdout.write(`${outcome}\n`);
