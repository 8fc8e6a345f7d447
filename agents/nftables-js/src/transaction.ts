/** A table is where everything of one owner lives; it can be removed without touching anybody else's. */
export interface Table {
  family: "ip" | "ip6" | "inet";
  name: string;
}

export interface BaseChain {
  type: "filter" | "nat" | "route";
  hook: "prerouting" | "input" | "forward" | "output" | "postrouting" | "ingress";
  priority: number;
  policy?: "accept" | "drop";
}

/** `declaration` is native syntax between the braces: `type ipv4_addr : verdict;`, or `typeof ip daddr : ip daddr;`. */
export type Command =
  | { do: "add" | "delete"; what: "table" }
  | { do: "add"; what: "chain"; chain: string; base?: BaseChain }
  | { do: "flush" | "delete"; what: "chain"; chain: string }
  | { do: "add"; what: "rule"; chain: string; rule: string }
  | { do: "add"; what: "map" | "set"; name: string; declaration: string }
  | { do: "flush" | "delete"; what: "map" | "set"; name: string }
  /** `value` is absent for sets, and ignored when deleting. */
  | { do: "add" | "delete"; what: "element"; name: string; elements: readonly Element[] };

export interface Element {
  key: string;
  value?: string;
}

const elementsPerLine = 500;

/** Changes to one table that take effect together or not at all. A value: nothing happens until a driver runs it. */
export class Transaction {
  readonly commands: Command[] = [];
  constructor(readonly table: Table) {}

  get isEmpty(): boolean {
    return this.commands.length === 0;
  }
  addTable(): this {
    return this.#push({ do: "add", what: "table" });
  }
  /** An error when the table is missing; add it first to make sure. */
  deleteTable(): this {
    return this.#push({ do: "delete", what: "table" });
  }
  addChain(chain: string, base?: BaseChain): this {
    return this.#push({ do: "add", what: "chain", chain, ...(base ? { base } : {}) });
  }
  flushChain(chain: string): this {
    return this.#push({ do: "flush", what: "chain", chain });
  }
  deleteChain(chain: string): this {
    return this.#push({ do: "delete", what: "chain", chain });
  }
  addRule(chain: string, rule: string): this {
    return this.#push({ do: "add", what: "rule", chain, rule });
  }
  addMap(name: string, declaration: string): this {
    return this.#push({ do: "add", what: "map", name, declaration });
  }
  addSet(name: string, declaration: string): this {
    return this.#push({ do: "add", what: "set", name, declaration });
  }
  deleteMap(name: string): this {
    return this.#push({ do: "delete", what: "map", name });
  }
  deleteSet(name: string): this {
    return this.#push({ do: "delete", what: "set", name });
  }
  addElements(name: string, elements: readonly Element[]): this {
    return elements.length ? this.#push({ do: "add", what: "element", name, elements }) : this;
  }
  deleteElements(name: string, elements: readonly Element[]): this {
    return elements.length ? this.#push({ do: "delete", what: "element", name, elements }) : this;
  }

  /** The transaction in nft's native syntax, one command a line. */
  render(): string {
    const table = `${this.table.family} ${this.table.name}`;
    return this.commands.flatMap((command) => renderCommand(command, table)).join("\n") + "\n";
  }

  #push(command: Command): this {
    this.commands.push(command);
    return this;
  }
}

function renderCommand(command: Command, table: string): string[] {
  switch (command.what) {
    case "table": return [`${command.do} table ${table}`];
    case "chain": return [`${command.do} chain ${table} ${command.chain}${command.do === "add" && command.base ? ` ${renderBase(command.base)}` : ""}`];
    case "rule": return [`add rule ${table} ${command.chain} ${command.rule}`];
    case "map":
    case "set": return [`${command.do} ${command.what} ${table} ${command.name}${command.do === "add" ? ` { ${command.declaration} }` : ""}`];
    case "element": return chunks(command.elements, elementsPerLine).map((some) => `${command.do} element ${table} ${command.name} { ${some.map((element) => renderElement(element, command.do)).join(", ")} }`);
  }
}

const renderBase = ({ type, hook, priority, policy }: BaseChain): string => `{ type ${type} hook ${hook} priority ${priority};${policy ? ` policy ${policy};` : ""} }`;
const renderElement = ({ key, value }: Element, verb: string): string => (verb === "add" && value !== undefined ? `${key} : ${value}` : key);

function chunks<T>(items: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, i) => items.slice(i * size, (i + 1) * size));
}
