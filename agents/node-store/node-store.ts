import type { Database, Statement } from "bun:sqlite";
import type { Frozen, KubeObject } from "../../src/apimachinery/meta.ts";
import type { AnyResource, ResourceCard } from "../../src/apimachinery/resource.ts";
import { secrets } from "../../src/apis/core/secret.ts";
import type { Clock } from "../../src/base/clock.ts";
import type { Logger } from "../../src/base/log.ts";
import { collectionName, type KeptCollection, type ObjectKeeper, type Scope, type ValueKeeper } from "../../src/client/object-keeper.ts";
import { openStoreFile } from "./file.ts";
import { createSeal, type Seal } from "./seal.ts";
import { keptForm, urgencyOf, type Urgency } from "./worth-keeping.ts";

export interface NodeStoreOptions {
  /** Such as `<data-dir>/agent/node.db`. */
  path: string;
  /** What the node knows of one cluster is worth nothing in another. */
  cluster: string;
  /** From which the key is derived that secrets are sealed with; with another one they are forgotten. */
  secret: string | Uint8Array;
  /** Beyond that nothing more is written: a disk has other purposes too. Default 256 MiB. */
  mostBytes?: number;
  clock: Clock;
  log: Logger;
}

/** For what was not known at all: the pod that has just come can't start again without it. */
const newsDelayMs = 1000;
/** After the first change of a quiet time; and between writes while changes keep coming. Flash cards wear out by the write. */
const quietDelayMs = 5000;
const busyDelayMs = 30_000;
/** A disk that is full may have room again. */
const retryMs = 60_000;
/** What nobody has asked for until then, nobody will. */
const tidyAfterMs = 10 * 60_000;

interface Collection {
  name: string;
  card: AnyResource;
  sealed: boolean;
  resourceVersion?: string;
  /** The newest state of what has changed since the last write; undefined when it is gone. */
  changed: Map<string, Frozen<KubeObject> | undefined>;
  /** Reached further than is written. */
  moved: boolean;
  /** What is written is of no use. */
  forgotten: boolean;
  /** Somebody follows it. */
  open: boolean;
}

/**
 * What a node needs to know to start its pods and Services again with no server in reach, in one SQLite file. Written in batches; at rest not at
 * all. Each batch is one transaction, so that the file always shows a state that was: objects and resourceVersions that belong together.
 */
export class NodeStore {
  readonly #options: NodeStoreOptions;
  readonly #db: Database;
  readonly #seal: Seal;
  readonly #collections = new Map<string, Collection>();
  readonly #answers = new Map<string, string | undefined>();
  /** Names of answers, until the store has been tidied up. */
  readonly #asked = new Set<string>();
  readonly #statements: Record<"collection" | "objects" | "reach" | "put" | "drop" | "forget" | "forgetObjects" | "answer" | "putAnswer" | "dropAnswer", Statement>;
  readonly #stop = new AbortController();
  #timer?: AbortController;
  #timerAt = Infinity;
  #isDue = false;
  #writtenAt = -Infinity;
  #failing = false;

  /** Opens the file, or makes it. Throws when it is in use. */
  constructor(options: NodeStoreOptions) {
    this.#options = options;
    this.#db = openStoreFile(options.path, { log: options.log, mostBytes: options.mostBytes ?? 256 * 1024 * 1024 });
    this.#seal = createSeal(options.secret);
    this.#statements = {
      collection: this.#db.prepare("SELECT resource_version FROM collections WHERE name = ?"),
      objects: this.#db.prepare("SELECT key, body FROM objects WHERE collection = (SELECT id FROM collections WHERE name = ?)"),
      reach: this.#db.prepare("INSERT INTO collections (name, resource_version) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET resource_version = excluded.resource_version"),
      put: this.#db.prepare("INSERT INTO objects (collection, key, body) VALUES ((SELECT id FROM collections WHERE name = ?), ?, ?) ON CONFLICT (collection, key) DO UPDATE SET body = excluded.body"),
      drop: this.#db.prepare("DELETE FROM objects WHERE collection = (SELECT id FROM collections WHERE name = ?) AND key = ?"),
      forgetObjects: this.#db.prepare("DELETE FROM objects WHERE collection = (SELECT id FROM collections WHERE name = ?)"),
      forget: this.#db.prepare("DELETE FROM collections WHERE name = ?"),
      answer: this.#db.prepare("SELECT body FROM answers WHERE name = ?"),
      putAnswer: this.#db.prepare("INSERT INTO answers (name, body) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET body = excluded.body"),
      dropAnswer: this.#db.prepare("DELETE FROM answers WHERE name = ?"),
    };
    void options.clock.sleep(tidyAfterMs, this.#stop.signal).then(() => this.#tidy(), () => {});
  }

  /** For the informers of one identity: what one may see is not another's. `urgency` judges changes of the kinds where delay does harm. */
  keeper(owner: string, urgency: readonly (readonly [card: AnyResource, (old: Frozen<KubeObject> | undefined, current: Frozen<KubeObject> | undefined) => Urgency])[] = []): ObjectKeeper {
    return {
      collection: (card, scope) => this.#collection(owner, card, scope, urgency.find(([kind]) => kind.group === card.group && kind.resource === card.resource)?.[1] ?? ((old, current) => urgencyOf(card, old, current))),
    };
  }

  /** Single answers of the server: tokens, claims. */
  readonly values: ValueKeeper = {
    get: (name) => this.#answer(this.#full(name)),
    set: (name, value) => this.#setAnswer(this.#full(name), value),
    forget: (prefix) => {
      const kept = this.#names("SELECT name FROM answers");
      for (const name of new Set([...kept, ...this.#answers.keys()])) if (name.startsWith(this.#full(prefix))) this.#setAnswer(name, undefined);
    },
  };

  /** Writes what isn't written yet, and closes the file. */
  close(): void {
    this.#stop.abort();
    this.#timer?.abort();
    this.flush();
    for (const statement of Object.values(this.#statements)) statement.finalize();
    this.#db.close();
  }

  /** Writes what isn't written yet. `durable` survives a power cut, not only the end of the process. */
  flush({ durable = true } = {}): void {
    if (![...this.#collections.values()].some(({ changed, moved, forgotten }) => changed.size > 0 || moved || forgotten) && this.#answers.size === 0) return;
    const { clock, log, path } = this.#options;
    try {
      this.#db.run(`PRAGMA synchronous = ${durable ? "FULL" : "NORMAL"}`);
      this.#db.transaction(() => this.#write())();
    } catch (error) {
      if (!this.#failing) log.error("The node's store can't be written: after a reboot without the server, the node would go on with an older state", { file: path, error });
      this.#failing = true;
      this.#sleep(retryMs);
      return;
    }
    if (this.#failing) log.info("The node's store is written again", { file: path });
    this.#failing = false;
    this.#written();
    this.#writtenAt = clock.monotonic();
  }

  #collection<T extends KubeObject>(owner: string, card: ResourceCard<T>, scope: Scope, urgency: (old: Frozen<KubeObject> | undefined, current: Frozen<KubeObject> | undefined) => Urgency): KeptCollection<T> {
    const name = this.#full(`${owner}\0${collectionName(card, scope)}`);
    const it: Collection = this.#collections.get(name) ?? { name, card, sealed: card.group === secrets.group && card.resource === secrets.resource, changed: new Map(), moved: false, forgotten: false, open: true };
    it.open = true;
    this.#collections.set(name, it);
    return {
      load: () => this.#load<T>(it),
      set: (object, old) => {
        const key = object.metadata.namespace ? `${object.metadata.namespace}/${object.metadata.name}` : object.metadata.name!;
        it.changed.set(key, object as Frozen<KubeObject>);
        this.#schedule(urgency(old as Frozen<KubeObject> | undefined, object as Frozen<KubeObject>));
      },
      delete: (key, old) => {
        it.changed.set(key, undefined);
        this.#schedule(urgency(old as Frozen<KubeObject>, undefined));
      },
      reached: (resourceVersion) => {
        // The first time is news: from then on the collection counts as complete.
        if (it.resourceVersion === undefined) this.#sleep(newsDelayMs);
        it.resourceVersion = resourceVersion;
        it.moved = true;
      },
      forget: () => {
        it.changed.clear();
        it.resourceVersion = undefined;
        it.forgotten = true;
        it.open = false;
        this.#schedule("soon");
      },
    };
  }

  #load<T extends KubeObject>(it: Collection): ReturnType<KeptCollection<T>["load"]> {
    const known = this.#statements.collection.get(it.name) as { resource_version: string } | null;
    if (!known || it.forgotten) return undefined;
    try {
      const rows = this.#statements.objects.all(it.name) as { key: string; body: Uint8Array | string }[];
      const objects = rows.map(({ key, body }) => JSON.parse(it.sealed ? this.#seal.open(`${it.name}\0${key}`, body as Uint8Array) : body as string) as Frozen<T>);
      it.resourceVersion = known.resource_version;
      return { resourceVersion: known.resource_version, objects };
    } catch (error) {
      this.#options.log.warn("What the node's store has of a kind can't be used", { resource: it.card.resource, error });
      it.forgotten = true;
      return undefined;
    }
  }

  #full(name: string): string {
    return `${this.#options.cluster}\0${name}`;
  }

  #setAnswer(name: string, value: string | undefined): void {
    const last = this.#answer(name);
    if (last === value) return;
    this.#answers.set(name, value);
    if (last === undefined) this.#sleep(newsDelayMs);
    else this.#schedule(value === undefined ? "soon" : "along");
  }

  #answer(name: string): string | undefined {
    this.#asked.add(name);
    if (this.#answers.has(name)) return this.#answers.get(name);
    try {
      const row = this.#statements.answer.get(name) as { body: Uint8Array } | null;
      return row ? this.#seal.open(name, row.body) : undefined;
    } catch (error) {
      this.#options.log.warn("An answer in the node's store can't be used", { name, error });
      return undefined;
    }
  }

  #write(): void {
    const { reach, put, drop, forget, forgetObjects, putAnswer, dropAnswer } = this.#statements;
    for (const it of this.#collections.values()) {
      if (it.forgotten) {
        forgetObjects.run(it.name);
        forget.run(it.name);
      }
      // Before its first list is complete, there is nothing to go on from.
      if (it.resourceVersion === undefined) continue;
      if (it.moved) reach.run(it.name, it.resourceVersion);
      for (const [key, object] of it.changed) {
        if (!object) drop.run(it.name, key);
        else {
          const text = JSON.stringify(keptForm(it.card, object));
          put.run(it.name, key, it.sealed ? this.#seal.close(`${it.name}\0${key}`, text) : text);
        }
      }
    }
    for (const [name, value] of this.#answers) {
      if (value === undefined) dropAnswer.run(name);
      else putAnswer.run(name, this.#seal.close(name, value));
    }
  }

  #written(): void {
    for (const [name, it] of this.#collections) {
      if (it.resourceVersion !== undefined) it.changed.clear();
      it.moved = false;
      if (!it.open) this.#collections.delete(name);
      it.forgotten = false;
    }
    this.#answers.clear();
  }

  #schedule(urgency: Urgency): void {
    if (urgency === "along") return;
    if (urgency === "soon") return this.#sleep(Math.max(quietDelayMs, this.#writtenAt + busyDelayMs - this.#options.clock.monotonic()));
    if (this.#isDue) return;
    this.#isDue = true;
    // With everything that the server says in the same breath; and before an answer to anything that is done about it can come.
    setImmediate(() => {
      this.#isDue = false;
      if (!this.#stop.signal.aborted) this.flush();
    });
  }

  /** One timer at most, and none at rest. */
  #sleep(ms: number): void {
    const { clock } = this.#options, at = clock.monotonic() + ms;
    if (this.#stop.signal.aborted || at >= this.#timerAt) return;
    this.#timer?.abort();
    this.#timer = new AbortController();
    this.#timerAt = at;
    void clock.sleep(ms, this.#timer.signal).then(() => {
      this.#timerAt = Infinity;
      this.flush({ durable: false });
    }, () => {});
  }

  /** Forgets what earlier processes kept and this one has no use for. */
  #tidy(): void {
    try {
      for (const name of this.#names("SELECT name FROM collections")) {
        if (this.#collections.has(name)) continue;
        this.#statements.forgetObjects.run(name);
        this.#statements.forget.run(name);
      }
      for (const name of this.#names("SELECT name FROM answers")) if (!this.#asked.has(name)) this.#statements.dropAnswer.run(name);
    } catch (error) {
      this.#options.log.warn("The node's store can't be tidied up", { error });
    }
    this.#asked.clear();
  }

  #names(sql: string): string[] {
    using statement = this.#db.prepare<{ name: string }, []>(sql);
    return statement.all().map(({ name }) => name);
  }
}
