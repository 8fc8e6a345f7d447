import { type Element, type Table, Transaction } from "nftables-js";

/** What one owner, such as a Service, adds to the base table. */
export interface Rules {
  elements: RuleElement[];
  /** Rules of chains beside the base table's. */
  chains: Map<string, readonly string[]>;
  /** Declarations of sets beside the base table's. */
  sets: Map<string, string>;
  /** The most endpoints that one port has: the base table must have chains for as many. */
  largest: number;
}

/** An element of a map, or without a value of a set. */
export interface RuleElement {
  map: string;
  key: string;
  value?: string;
}

interface Holder {
  owner: string;
  value: string | undefined;
  /** Others that want the same key; they get it in turn. */
  waiting?: Holder[];
}

/**
 * The contents of a table, by owner. Changes add up until they are applied; their cost follows what changed, not what there is.
 * A key that two owners want is of the first; chains and sets have one owner each, by their names.
 */
export class RuleBook {
  readonly #owners = new Map<string, Rules>();
  readonly #elements = new Map<string, Map<string, Holder>>();
  /** What was there when changes were last applied. */
  readonly #before = { elements: new Map<string, Map<string, Holder | undefined>>(), chains: new Map<string, readonly string[] | undefined>(), sets: new Map<string, string | undefined>() };
  readonly #chains = new Map<string, readonly string[]>();
  readonly #sets = new Map<string, string>();
  /** The most endpoints that any port has had. */
  largest = 0;


  /** Replaces all of an owner's; undefined removes it. */
  put(owner: string, rules: Rules | undefined): void {
    const old = this.#owners.get(owner);
    if (rules) this.#owners.set(owner, rules);
    else this.#owners.delete(owner);
    this.largest = Math.max(this.largest, rules?.largest ?? 0);
    const kept = new Set<string>();
    for (const { map, key, value } of rules?.elements ?? []) {
      kept.add(`${map} ${key}`);
      this.#hold(map, key, { owner, value });
    }
    for (const { map, key } of old?.elements ?? []) if (!kept.has(`${map} ${key}`)) this.#release(map, key, owner);
    replace(this.#chains, this.#before.chains, old?.chains, rules?.chains);
    replace(this.#sets, this.#before.sets, old?.sets, rules?.sets);
  }

  #hold(map: string, key: string, holder: Holder): void {
    const elements = this.#elements.get(map) ?? new Map<string, Holder>();
    this.#elements.set(map, elements);
    const held = elements.get(key);
    if (!held || held.owner === holder.owner) {
      if (held && held.value === holder.value) return;
      this.#remember(map, key, held);
      elements.set(key, { ...holder, ...(held?.waiting ? { waiting: held.waiting } : {}) });
    } else held.waiting = [...(held.waiting ?? []).filter(({ owner }) => owner !== holder.owner), holder];
  }

  #release(map: string, key: string, owner: string): void {
    const elements = this.#elements.get(map), held = elements?.get(key);
    if (!held) return;
    if (held.owner !== owner) {
      held.waiting = held.waiting?.filter((other) => other.owner !== owner);
      return;
    }
    this.#remember(map, key, held);
    const [next, ...waiting] = held.waiting ?? [];
    if (next) elements!.set(key, { ...next, waiting });
    else elements!.delete(key);
  }

  #remember(map: string, key: string, held: Holder | undefined): void {
    const before = this.#before.elements.get(map) ?? new Map<string, Holder | undefined>();
    this.#before.elements.set(map, before);
    if (!before.has(key)) before.set(key, held);
  }

  /** The changes since they were last applied, and the chains that nothing leads to any more: empty, to be deleted some time after. */
  changes(table: Table): { transaction: Transaction; unused: string[] } {
    const transaction = new Transaction(table), unused: string[] = [];
    const { elements, chains, sets } = this.#before;
    const changedChains = [...chains].filter(([name, old]) => !sameRules(old, this.#chains.get(name)));
    for (const [name] of sets) if (this.#sets.has(name) && sets.get(name) === undefined) transaction.addSet(name, this.#sets.get(name)!);
    for (const [name, old] of changedChains) {
      if (this.#chains.has(name)) transaction.addChain(name);
      if (old || this.#chains.has(name)) transaction.flushChain(name);
    }
    for (const [name] of changedChains) for (const rule of this.#chains.get(name) ?? []) transaction.addRule(name, rule);
    for (const [map, keys] of elements) {
      const gone: Element[] = [], added: Element[] = [];
      for (const [key, old] of keys) {
        const now = this.#elements.get(map)?.get(key);
        if (old && now && old.value === now.value) continue;
        if (old) gone.push({ key, value: old.value });
        if (now) added.push({ key, value: now.value });
      }
      transaction.deleteElements(map, gone).addElements(map, added);
    }
    for (const [name, old] of changedChains) if (old && !this.#chains.has(name)) unused.push(name);
    for (const [name, old] of sets) if (old !== undefined && !this.#sets.has(name)) transaction.deleteSet(name);
    return { transaction, unused };
  }

  /** Everything, for a table that has nothing yet but its base. */
  addTo(transaction: Transaction): void {
    for (const [name, declaration] of this.#sets) transaction.addSet(name, declaration);
    for (const name of this.#chains.keys()) transaction.addChain(name);
    for (const [name, rules] of this.#chains) for (const rule of rules) transaction.addRule(name, rule);
    for (const [map, elements] of this.#elements) transaction.addElements(map, [...elements].map(([key, { value }]) => ({ key, value })));
  }

  /** The kernel has it all. */
  applied(): void {
    for (const before of Object.values(this.#before)) before.clear();
  }

  /** Of the sets beside the base table's. */
  setNames(): string[] {
    return [...this.#sets.keys()];
  }

  hasChain(name: string): boolean {
    return this.#chains.has(name);
  }
}

function replace<T>(all: Map<string, T>, before: Map<string, T | undefined>, old: ReadonlyMap<string, T> | undefined, next: ReadonlyMap<string, T> | undefined): void {
  const remember = (name: string): void => {
    if (!before.has(name)) before.set(name, all.get(name));
  };
  for (const name of old?.keys() ?? []) if (!next?.has(name)) {
    remember(name);
    all.delete(name);
  }
  for (const [name, value] of next ?? []) {
    remember(name);
    all.set(name, value);
  }
}

const sameRules = (a: readonly string[] | undefined, b: readonly string[] | undefined): boolean => a === b || (a !== undefined && b !== undefined && a.length === b.length && a.every((rule, i) => rule === b[i]));
