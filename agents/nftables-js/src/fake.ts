import { type Nftables, NftablesError } from "./nftables.ts";
import type { Command, Element, Table, Transaction } from "./transaction.ts";

interface FakeTable {
  chains: Map<string, string[]>;
  maps: Map<string, { kind: "map" | "set"; elements: Map<string, string | undefined> }>;
}

const keyOf = ({ family, name }: Table): string => `${family} ${name}`;
const verdictTarget = /^(?:goto|jump) (\S+)$/;

/** Holds tables in memory and says no where the kernel would: to what is missing, to contradictions, to deleting what is in use. */
export class FakeNftables implements Nftables {
  #tables = new Map<string, FakeTable>();

  async run(transaction: Transaction): Promise<void> {
    const tables = structuredClone(this.#tables);
    for (const command of transaction.commands) applyTo(tables, transaction.table, command);
    checkReferences(tables.get(keyOf(transaction.table)));
    this.#tables = tables;
  }

  async check(transaction: Transaction): Promise<void> {
    const kept = this.#tables;
    try {
      await this.run(transaction);
    } finally {
      this.#tables = kept;
    }
  }

  async hasTable(table: Table): Promise<boolean> {
    return this.#tables.has(keyOf(table));
  }

  async listRules(table: Table, chain: string): Promise<string[]> {
    return [...(find(this.#tables, table).chains.get(chain) ?? missing(`chain ${chain}`))];
  }

  async listTable(table: Table): Promise<string> {
    const { chains } = find(this.#tables, table);
    return `table ${keyOf(table)} {\n${[...chains].map(([name, rules]) => `\tchain ${name} {\n${rules.map((rule) => `\t\t${rule}\n`).join("")}\t}\n`).join("")}}\n`;
  }

  async listElements(table: Table, name: string): Promise<Element[]> {
    const map = find(this.#tables, table).maps.get(name) ?? missing(`map ${name}`);
    return [...map.elements].map(([key, value]) => (value === undefined ? { key } : { key, value }));
  }

  close(): void {}
}

function missing(what: string): never {
  throw new NftablesError(`nftables refused: No such file or directory: ${what}`, "");
}

function find(tables: Map<string, FakeTable>, table: Table): FakeTable {
  return tables.get(keyOf(table)) ?? missing(`table ${keyOf(table)}`);
}

function applyTo(tables: Map<string, FakeTable>, table: Table, command: Command): void {
  if (command.what === "table") {
    if (command.do === "delete") remove(tables, keyOf(table), `table ${keyOf(table)}`);
    else if (!tables.has(keyOf(table))) tables.set(keyOf(table), { chains: new Map(), maps: new Map() });
    return;
  }
  const { chains, maps } = find(tables, table);
  switch (command.what) {
    case "chain": {
      if (command.do === "add") {
        if (!chains.has(command.chain)) chains.set(command.chain, []);
      } else if (!chains.has(command.chain)) missing(`chain ${command.chain}`);
      else if (command.do === "flush") chains.set(command.chain, []);
      else {
        if (chains.get(command.chain)!.length) busy(`chain ${command.chain} has rules`);
        chains.delete(command.chain);
      }
      return;
    }
    case "rule":
      (chains.get(command.chain) ?? missing(`chain ${command.chain}`)).push(command.rule);
      return;
    case "map":
    case "set":
      if (command.do === "add") {
        if (!maps.has(command.name)) maps.set(command.name, { kind: command.what, elements: new Map() });
      } else if (!maps.has(command.name)) missing(`${command.what} ${command.name}`);
      else if (command.do === "flush") maps.get(command.name)!.elements.clear();
      else maps.delete(command.name);
      return;
    case "element":
      applyElements((maps.get(command.name) ?? missing(`map ${command.name}`)).elements, command);
  }
}

function applyElements(elements: Map<string, string | undefined>, command: Command & { what: "element" }): void {
  for (const { key, value } of command.elements) {
    if (command.do === "delete") remove(elements, key, `element ${key} of ${command.name}`);
    else if (elements.has(key) && elements.get(key) !== value) throw new NftablesError(`nftables refused: File exists: element ${key} of ${command.name}`, "");
    else elements.set(key, value);
  }
}

function remove(from: Map<string, unknown>, key: string, what: string): void {
  if (!from.delete(key)) missing(what);
}

function busy(why: string): never {
  throw new NftablesError(`nftables refused: Device or resource busy: ${why}`, "");
}

/** Every chain and map that a rule or a verdict names must be there when the transaction ends. */
function checkReferences(table: FakeTable | undefined): void {
  if (!table) return;
  for (const { elements } of table.maps.values()) {
    for (const value of elements.values()) {
      const target = verdictTarget.exec(value ?? "")?.[1];
      if (target && !table.chains.has(target)) missing(`chain ${target}`);
    }
  }
  for (const rule of [...table.chains.values()].flat()) {
    for (const [, target] of rule.matchAll(/\b(?:goto|jump) ([\w-]+)/g)) if (!table.chains.has(target!)) missing(`chain ${target}`);
    for (const [, name] of rule.matchAll(/@([\w-]+)/g)) if (!table.maps.has(name!)) missing(`map ${name}`);
  }
}
