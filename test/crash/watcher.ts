import { eventually } from "../support/eventually.ts";
import type { Credentials } from "../bench/api-connection.ts";
import { CrashClient } from "./crash-client.ts";
import type { ApiObject, TestedKind } from "./kinds.ts";
import type { Key, Ledger, Seen } from "./ledger.ts";

interface View {
  /** What is there by all it has been told. */
  states: Map<Key, Seen>;
  /** How far it has got: where it goes on. */
  revision: number;
}

interface WatchEvent {
  type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  object: ApiObject & { code?: number };
}

/** A client that lists once and then follows, over restarts of the server; it relists only when it is told that its revision is gone. */
export class Watcher {
  readonly #name: string;
  readonly kind: TestedKind;
  #view: View | undefined;
  /** As it was when it was last checked. */
  #checked: View | undefined;
  /** Revisions of events since then, and from where on it has been told all. */
  readonly #told = new Set<number>();
  #toldFrom = 0;
  #connected: Promise<void> | undefined;
  #abort = new AbortController();
  events = 0;
  relists = 0;

  constructor(private readonly options: { name: string; kind: TestedKind; ledger: Ledger }) {
    this.#name = options.name;
    this.kind = options.kind;
  }

  /** Follows a server that has just started. `again`: goes on from where it was last checked, so that it is told again what it knows. */
  follow(credentials: Credentials, { again = false } = {}): void {
    if (again && this.#checked) {
      this.#view = { states: new Map(this.#checked.states), revision: this.#checked.revision };
      this.#told.clear();
      this.#toldFrom = this.#view.revision;
    }
    this.#abort = new AbortController();
    this.#connected = this.#follow(credentials, this.#abort.signal);
  }

  /** Hangs up, if the server has not. */
  async leave(): Promise<void> {
    this.#abort.abort();
    await this.#connected;
  }

  /** Waits until it has been told all up to a revision, and compares what it knows then with what is there. */
  async check(states: ReadonlyMap<Key, Seen>, revision: number, answered: readonly { key: Key; revision: number }[]): Promise<void> {
    const { ledger, kind } = this.options;
    try {
      await eventually(() => {
        if ((this.#view?.revision ?? 0) < revision) throw new Error(`${this.#name} is at ${this.#view?.revision}`);
      }, { timeout: 60_000 });
    } catch (error) {
      return ledger.violate(`a watch is not told of revision ${revision} within 60 s: ${(error as Error).message}`);
    }
    const view = this.#view!;
    for (const key of new Set([...states.keys(), ...view.states.keys()])) {
      const is = states.get(key), told = view.states.get(key);
      if (is?.revision !== told?.revision || is?.number !== told?.number) ledger.violate(`${this.#name} believes that ${key} is ${shown(told)}, and it is ${shown(is)}`);
    }
    const missed = answered.filter((write) => write.key.startsWith(`${kind.name}/`) && write.revision > this.#toldFrom && write.revision <= revision && !this.#told.has(write.revision));
    for (const write of missed) ledger.violate(`${this.#name} has missed ${write.key} at revision ${write.revision}`);
    this.#checked = { states: new Map(view.states), revision: view.revision };
    this.#told.clear();
    this.#toldFrom = view.revision;
  }

  async #follow(credentials: Credentials, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (!this.#view) await this.#list(credentials);
        await this.#watch(credentials, signal);
      } catch {
        // The server is gone, or has hung up.
        if (!signal.aborted) await Bun.sleep(5);
      }
    }
  }

  async #list(credentials: Credentials): Promise<void> {
    const { ledger, kind } = this.options, client = await CrashClient.open(credentials, ledger);
    try {
      this.#view = await client.list(kind);
      for (const seen of this.#view.states.values()) ledger.saw(seen);
      this.#told.clear();
      this.#toldFrom = this.#view.revision;
    } finally {
      client.close();
    }
  }

  async #watch({ ca, cert, key, port }: Credentials, signal: AbortSignal): Promise<void> {
    const response = await fetch(`https://localhost:${port}${this.options.kind.collection}?watch=true&allowWatchBookmarks=true&resourceVersion=${this.#view!.revision}`, { tls: { ca, cert, key }, signal });
    if (response.status === 410) return this.#gone();
    const decoder = new TextDecoder();
    let text = "";
    for await (const chunk of response.body!) {
      text += decoder.decode(chunk, { stream: true });
      const lines = text.split("\n");
      text = lines.pop()!;
      for (const line of lines) this.#hear(JSON.parse(line) as WatchEvent);
      if (!this.#view) return;
    }
  }

  #gone(): void {
    this.relists++;
    this.#view = undefined;
  }

  #hear({ type, object }: WatchEvent): void {
    const { ledger, kind } = this.options, view = this.#view;
    if (!view) return;
    if (type === "ERROR") {
      if (object.code === 410) return this.#gone();
      return ledger.violate(`${this.#name} was told ${JSON.stringify(object)}`);
    }
    const revision = Number(object.metadata.resourceVersion);
    if (type === "BOOKMARK") {
      if (revision < view.revision) ledger.violate(`${this.#name}: a bookmark goes back from revision ${view.revision} to ${revision}`);
      view.revision = Math.max(view.revision, revision);
      return;
    }
    this.events++;
    if (revision <= view.revision) ledger.violate(`${this.#name} is told of revision ${revision} after ${view.revision}`);
    view.revision = Math.max(view.revision, revision);
    const state = kind.read(object);
    if (!state) return;
    const { key } = state, before = view.states.get(key);
    if ((type === "ADDED") === (before !== undefined)) ledger.violate(`${this.#name} is told that ${key} was ${type} at revision ${revision}, where ${shown(before)} was`);
    this.#told.add(revision);
    if (type === "DELETED") {
      view.states.delete(key);
      ledger.saw({ key, revision });
    } else {
      view.states.set(key, state);
      ledger.saw(state);
    }
  }
}

const shown = (seen: Seen | undefined): string => (seen ? `attempt ${seen.number} at revision ${seen.revision}` : "nothing");
