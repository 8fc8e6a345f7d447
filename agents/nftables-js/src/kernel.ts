import { type CommandRunner, nftProcess } from "./command.ts";
import { libnftables } from "./library.ts";
import { type Nftables, NftablesError } from "./nftables.ts";
import { tableExists } from "./table-watch.ts";
import type { Element, Table, Transaction } from "./transaction.ts";

/** Above this size a transaction goes to a process of its own, so that the memory nft takes for it is given back. */
const largeBytes = 256 * 1024;

export interface KernelOptions {
  /** "library" and "process" force one way; the default takes the library for small changes where it is installed. */
  via?: "auto" | "library" | "process";
}

/** The running kernel's nftables. */
export function openNftables({ via = "auto" }: KernelOptions = {}): Nftables {
  const library = via === "process" ? undefined : libnftables();
  if (via === "library" && !library) throw new NftablesError("libnftables is not installed", "");
  const process = nftProcess();
  const small: CommandRunner = library ?? process;
  const large: CommandRunner = via === "library" ? small : process;
  const apply = async (transaction: Transaction, check: boolean): Promise<void> => {
    if (transaction.isEmpty) return;
    const commands = transaction.render();
    await (commands.length > largeBytes ? large : small).run(commands, { check });
  };
  const list = (command: string): Promise<string> => small.run(`list ${command}\n`);
  return {
    run: (transaction) => apply(transaction, false),
    check: (transaction) => apply(transaction, true),
    async hasTable({ family, name }) {
      const known = tableExists({ family, name });
      if (known !== undefined) return known;
      const tables = await list(`tables ${family}`);
      return tables.split("\n").includes(`table ${family} ${name}`);
    },
    async listRules({ family, name }, chain) {
      return parseRules(await list(`chain ${family} ${name} ${chain}`));
    },
    listTable: ({ family, name }) => list(`table ${family} ${name}`),
    async listElements(table, name) {
      return parseElements(await listMapOrSet(list, table, name));
    },
    close() {
      library?.close();
    },
  };
}

async function listMapOrSet(list: (command: string) => Promise<string>, { family, name: table }: Table, name: string): Promise<string> {
  try {
    return await list(`map ${family} ${table} ${name}`);
  } catch {
    return list(`set ${family} ${table} ${name}`);
  }
}

/** The lines of `chain x { … }` without the chain's own type line. */
function parseRules(output: string): string[] {
  const lines = output.split("\n").map((line) => line.trim());
  const start = lines.findIndex((line) => line.startsWith("chain "));
  const end = lines.indexOf("}", start);
  return lines.slice(start + 1, end).filter((line) => line && !line.startsWith("type "));
}

/** The inside of `elements = { a : b, c : d }`; nothing when the map is empty. */
function parseElements(output: string): Element[] {
  const inside = /elements = \{([^}]*)\}/s.exec(output)?.[1];
  return (inside ?? "").split(",").map((item) => item.trim()).filter(Boolean).map((item) => {
    const [key = "", value] = item.split(" : ").map((part) => part.trim());
    return value === undefined ? { key } : { key, value };
  });
}
