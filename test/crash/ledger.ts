/**
 * What clients of a server that crashes know, and what can't be true. Every write is an attempt with a number of its own that the object
 * carries, so that each state ever seen tells whose it is. Revisions are those of the API: one sequence for all objects.
 */

export type Key = string;
export type AttemptNumber = number;

export interface Attempt {
  readonly number: AttemptNumber;
  readonly key: Key;
  readonly type: "create" | "update" | "delete";
  /** A crash may take it back, though it was answered. */
  readonly volatile: boolean;
  /** The revision of the state it replaces, which the server had to insist on; none for a create. */
  readonly expected?: number;
  /** What must be found with it. */
  readonly content: string;
  /** `unknown`: no answer came, so it may have happened. `over`: none came, and after the restart nothing was there of it. */
  outcome: "unknown" | "acknowledged" | "refused" | "over";
  /** Where it was seen, by its answer or in a state. An answered delete has none. */
  revision?: number;
}

/** A state of a key at a revision; a delete has no number. */
export interface Seen {
  key: Key;
  revision: number;
  number?: AttemptNumber;
  content?: string;
  /** Of a delete that a crash may take back. */
  volatile?: boolean;
}

export interface Floor {
  /** Of a delete: half above the revision it removed. */
  position: number;
  number?: AttemptNumber;
}

/** Keeps what is known, and all that contradicts it. */
export class Ledger {
  readonly attempts = new Map<AttemptNumber, Attempt>();
  readonly #violations: string[] = [];
  /** What each revision was, however it was learnt. */
  readonly #revisions = new Map<number, Seen>();
  /** The newest state of each key that a crash must not take back. */
  readonly #floors = new Map<Key, Floor>();
  readonly #pending = new Map<AttemptNumber, Attempt>();
  readonly #answered: { key: Key; revision: number }[] = [];
  #newest = 0;
  /** Revisions up to here are from before the last start: writes get higher ones. */
  #before = 0;
  /** Those with keys that have been written to volatilely. */
  readonly #volatileResources = new Set<string>();
  acknowledged = 0;
  /** Attempts that a restart has left without an answer, and those of them that were there then. */
  unanswered = 0;
  kept = 0;

  get violations(): readonly string[] {
    return this.#violations;
  }

  violate(text: string): void {
    this.#violations.push(text);
  }

  /** `content` may be made of the number that the attempt gets. */
  begin({ content, ...attempt }: Omit<Attempt, "outcome" | "number" | "content"> & { content: string | ((number: AttemptNumber) => string) }): Attempt {
    const number = this.attempts.size + 1;
    const begun: Attempt = { ...attempt, number, content: typeof content === "string" ? content : content(number), outcome: "unknown" };
    this.attempts.set(begun.number, begun);
    if (begun.volatile) this.#volatileResources.add(resourceOf(begun.key));
    this.#pending.set(begun.number, begun);
    return begun;
  }

  /** The server said yes. The answer to a delete has no revision. */
  acknowledge(attempt: Attempt, revision?: number): void {
    this.acknowledged++;
    attempt.outcome = "acknowledged";
    this.#pending.delete(attempt.number);
    if (revision === undefined) {
      if (!attempt.volatile) this.#raise(attempt.key, { position: attempt.expected! + 0.5 });
      return;
    }
    if (revision <= this.#before) this.violate(`${attempt.key}: a write was given revision ${revision}, though ${this.#before} had been seen before the restart`);
    this.saw({ key: attempt.key, revision, number: attempt.number, content: attempt.content });
    if (!attempt.volatile) this.#answered.push({ key: attempt.key, revision });
  }

  /** The server said no, which nothing may come of. */
  refuse(attempt: Attempt): void {
    attempt.outcome = "refused";
    this.#pending.delete(attempt.number);
  }

  /** What a read of the key that begins now must not be behind. */
  floor(key: Key): Floor | undefined {
    return this.#floors.get(key);
  }

  /** A state has been shown: by an answer, a list or a watch. It must be somebody's, the only one of its revision, and never go again. */
  saw(seen: Seen): void {
    const { key, revision, number } = seen;
    const known = this.#revisions.get(revision);
    if (known && (known.key !== key || known.number !== number)) this.violate(`revision ${revision} is ${shown(seen)} and was ${shown(known)}`);
    this.#revisions.set(revision, seen);
    this.#newest = Math.max(this.#newest, revision);
    if (number === undefined) {
      if (!seen.volatile) this.#raise(key, { position: revision });
      return;
    }
    const attempt = this.attempts.get(number);
    if (!attempt || attempt.key !== key || attempt.type === "delete") return this.violate(`revision ${revision} has ${shown(seen)}, which nobody wrote`);
    if (attempt.outcome === "refused") this.violate(`${key}: attempt ${number} was refused, and is there at revision ${revision}`);
    const renumbered = attempt.revision !== undefined && this.#isRenumbered(key, attempt.revision, revision);
    if (attempt.outcome === "over" && revision > this.#before && !renumbered) this.violate(`${key}: attempt ${number} was gone after the restart, and came back at revision ${revision}`);
    if (attempt.revision !== undefined && attempt.revision !== revision && !renumbered) this.violate(`${key}: attempt ${number} is at revision ${revision}, and was at ${attempt.revision}`);
    if (attempt.expected !== undefined && revision <= attempt.expected) this.violate(`${key}: attempt ${number} at revision ${revision} replaces revision ${attempt.expected}`);
    if (attempt.content !== seen.content) this.violate(`${key}: attempt ${number} at revision ${revision} is ${seen.content}, not ${attempt.content}`);
    attempt.revision = revision;
    if (!attempt.volatile) this.#raise(key, { position: revision, number });
  }

  /** Where writes may be volatile, a crash gives what is left of them new revisions, beyond those of what it has taken back. */
  #isRenumbered(key: Key, before: number, now: number): boolean {
    return now > before && now > this.#before && this.#volatileResources.has(resourceOf(key));
  }

  /** A read of one key, begun when `floor` was what it must not be behind. */
  read(key: Key, seen: Seen | undefined, floor: Floor | undefined): void {
    if (seen) this.saw(seen);
    // What is gone may have been deleted meanwhile.
    if (floor && (seen || this.#floors.get(key) === floor)) this.#compare(key, floor, seen, "behind");
  }

  /** After a restart: all there is, at `revision`. Unanswered attempts that have left nothing are over. */
  recovered(states: ReadonlyMap<Key, Seen>, revision: number): void {
    if (revision < this.#newest) this.violate(`the server is at revision ${revision} after the restart, behind ${this.#newest}`);
    for (const [key, floor] of this.#floors) {
      this.#compare(key, floor, states.get(key), "lost");
      // A delete that was not answered has happened; now it stands.
      if (!states.has(key) && floor.number !== undefined) this.#raise(key, { position: floor.position + 0.5 });
    }
    for (const seen of states.values()) this.saw(seen);
    this.#before = Math.max(this.#newest, revision);
    for (const attempt of this.#pending.values()) {
      attempt.outcome = "over";
      this.unanswered++;
      if (attempt.type === "delete" ? !states.has(attempt.key) : attempt.revision !== undefined) this.kept++;
    }
    this.#pending.clear();
  }

  #compare(key: Key, { position, number }: Floor, state: Seen | undefined, what: string): void {
    const gone = !state && number !== undefined && !this.#mayBeDeleted(key, position);
    if (gone || (state && state.revision < position)) this.violate(`${key}: ${what}: ${number === undefined ? `deleted before ${position}` : `attempt ${number} at revision ${position}`}, and there is ${state ? shown(state) : "nothing"}\n${this.tale(key)}`);
  }

  /** Whether a delete that was not answered may have removed the state there or a later one. */
  #mayBeDeleted(key: Key, position: number): boolean {
    for (const attempt of this.#pending.values()) if (attempt.key === key && attempt.type === "delete" && attempt.expected! >= position) return true;
    return false;
  }

  #raise(key: Key, floor: Floor): void {
    if (floor.position > (this.#floors.get(key)?.position ?? 0)) this.#floors.set(key, floor);
  }

  /** The last attempts at a key, for whoever has to find out. */
  tale(key: Key): string {
    const own = [...this.attempts.values()].filter((attempt) => attempt.key === key).slice(-8);
    return own.map(({ number, type, volatile, expected, outcome, revision }) => `  ${number} ${volatile ? "volatile " : ""}${type}${expected === undefined ? "" : ` of ${expected}`}: ${outcome}${revision === undefined ? "" : `, ${revision}`}`).join("\n");
  }

  /** Durable writes that were answered since the last call, and where they are. */
  takeAnswered(): { key: Key; revision: number }[] {
    return this.#answered.splice(0);
  }
}

const shown = ({ key, number, revision }: Seen): string => `${key} ${number === undefined ? "deleted" : `attempt ${number}`} at revision ${revision}`;

const resourceOf = (key: Key): string => key.slice(0, key.lastIndexOf("/"));
