import { closeSync } from "node:fs";
import { attributesOf, flags, message, type NetlinkMessage, parseMessages, text, textOf, attribute } from "./netlink-messages.ts";
import { openSubscription, Requests } from "./netfilter-socket.ts";
import type { Table } from "./transaction.ts";

const subsystem = 10 << 8;
const messages = { newTable: subsystem, getTable: subsystem | 1, newChain: subsystem | 3, getChain: subsystem | 4, newGeneration: subsystem | 15, getGeneration: subsystem | 16 } as const;
const nftablesGroup = 1 << 6;
const families: Record<string, number> = { inet: 1, ip: 2, ip6: 10 };
const familyNames = new Map(Object.entries(families).map(([name, number]) => [number, name as Table["family"]]));
/** NFTA_CHAIN_NAME, NFTA_CHAIN_HOOK with NFTA_HOOK_HOOKNUM, NFTA_CHAIN_POLICY. */
const chainName = 3, chainHook = 4, hookNumber = 1, chainPolicy = 5, forwardHook = 2, dropPolicy = 0;

/** A chain that all forwarded packets pass. */
export interface ForwardChain {
  table: Table;
  chain: string;
  /** What none of its rules decides about is dropped. */
  drops: boolean;
}

export interface TableWatchHandlers {
  /** A transaction of somebody else changed something in one of the watched tables. */
  onChange(table: Table): void;
  /** Messages were lost: anything may have happened. */
  onLoss(): void;
  /** Somebody made, or changed, a chain that forwarded packets pass, in a table that isn't watched. */
  onForwardChain(): void;
}

/** Hears of changes that others make. */
export interface TableWatch {
  /** Runs a transaction that is not somebody else's. */
  own<T>(transaction: () => Promise<T>): Promise<T>;
  close(): void;
}

/** The number of the kernel's current set of rules: each transaction adds one. Undefined when the kernel does not say. */
function generation(requests: Requests): number | undefined {
  try {
    const [answer] = requests.exchange(message({ type: messages.getGeneration, flags: flags.request | flags.ack, family: 0 }));
    return answer && generationOf(answer);
  } catch {
    return undefined;
  }
}

const generationOf = ({ body }: NetlinkMessage): number => attributesOf(body).get(1)?.getUint32(0) ?? 0;

/** The generations that came while a transaction of ours ran: one of them, that touched a watched table, is ours. */
interface Window {
  from: number;
  to: number;
  isOpen: boolean;
}

/**
 * Watches tables through the kernel's notifications; undefined where there are none, as under an emulator. Whose a transaction was is known by
 * its generation: of those that came while `own` ran the first that touched a watched table is ours.
 */
export function watchTables(tables: readonly Table[], handlers: TableWatchHandlers): TableWatch | undefined {
  const watched = new Map(tables.map((table) => [`${table.family} ${table.name}`, table]));
  let windows: Window[] = [];
  /** Touched by the transaction whose generation has not been told yet; then, while `own` runs, by generation. */
  let touched = new Set<Table>();
  const undecided = new Map<number, Set<Table>>();
  const requests = new Requests();
  let running = 0, closed = false;
  let stopReading: () => void = () => {};

  function decide(id: number, changed: ReadonlySet<Table>): void {
    windows = windows.filter(({ to }) => to >= id);
    if (changed.size === 0) return;
    const own = windows.find(({ from, isOpen }) => isOpen && from <= id);
    if (own) own.isOpen = false;
    else for (const table of changed) handlers.onChange(table);
  }

  function receive(chunk: Uint8Array): void {
    for (const one of parseMessages(chunk)) {
      if (one.type === messages.newGeneration) {
        const id = generationOf(one), changed = touched;
        touched = new Set();
        if (running > 0) undecided.set(id, changed);
        else decide(id, changed);
        continue;
      }
      const table = watched.get(tableKeyOf(one));
      if (table) touched.add(table);
      else if (one.type === messages.newChain && forwardChain(one)) handlers.onForwardChain();
    }
  }

  function listen(): boolean {
    const fd = openSubscription(nftablesGroup);
    if (fd === undefined) return false;
    const reader = Bun.file(fd).stream().getReader();
    let stopped = false;
    stopReading = () => {
      if (stopped) return;
      stopped = true;
      void reader.cancel().catch(() => undefined).finally(() => closeSync(fd));
    };
    void (async () => {
      try {
        for (;;) {
          const { done, value } = await reader.read();
          if (done || stopped) break;
          receive(value);
        }
      } catch {
        // The socket's buffer overflowed.
      }
      if (stopped || closed) return;
      stopReading();
      if (listen()) handlers.onLoss();
    })();
    return true;
  }

  if (!listen()) return undefined;
  return {
    async own(transaction) {
      const before = generation(requests);
      running++;
      try {
        return await transaction();
      } finally {
        const after = generation(requests);
        if (before === undefined || after === undefined) undecided.clear();
        else if (after > before) windows.push({ from: before + 1, to: after, isOpen: true });
        if (--running === 0) {
          for (const [id, changed] of undecided) decide(id, changed);
          undecided.clear();
        }
      }
    },
    close() {
      closed = true;
      stopReading();
      requests.close();
    },
  };
}

const tableKeyOf = ({ family, body }: NetlinkMessage): string => `${familyNames.get(family) ?? ""} ${textOf(attributesOf(body).get(1)) ?? ""}`;

function forwardChain({ family, body }: NetlinkMessage): ForwardChain | undefined {
  const attributes = attributesOf(body), hook = attributes.get(chainHook), tableFamily = familyNames.get(family);
  if (!hook || !tableFamily || attributesOf(hook).get(hookNumber)?.getUint32(0) !== forwardHook) return undefined;
  return { table: { family: tableFamily, name: textOf(attributes.get(1)) ?? "" }, chain: textOf(attributes.get(chainName)) ?? "", drops: attributes.get(chainPolicy)?.getUint32(0) === dropPolicy };
}

/** Asks once. Throws `NftablesError`. */
function ask(request: Uint8Array): NetlinkMessage[] {
  const requests = new Requests();
  try {
    return requests.exchange(request);
  } finally {
    requests.close();
  }
}

/** The chains of all tables that forwarded packets pass. Throws `NftablesError` where the kernel can't be asked. */
export const forwardChains = (): ForwardChain[] =>
  ask(message({ type: messages.getChain, flags: flags.request | flags.dump, family: 0 })).map(forwardChain).filter((chain) => chain !== undefined);

/** Whether the kernel has the table, without reading what is in it. Undefined where the kernel can't be asked this way. */
export function tableExists({ family, name }: Table): boolean | undefined {
  try {
    return ask(message({ type: messages.getTable, flags: flags.request | flags.ack, family: families[family]!, attributes: [attribute(1, text(name))] })).length > 0;
  } catch (error) {
    // ENOENT
    return error instanceof Error && "output" in error && error.output === "2" ? false : undefined;
  }
}
