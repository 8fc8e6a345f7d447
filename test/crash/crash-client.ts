import { ApiConnection, type Credentials } from "../bench/api-connection.ts";
import { type ApiObject, keyOf, nameOf, type TestedKind } from "./kinds.ts";
import type { Attempt, Key, Ledger, Seen } from "./ledger.ts";

/** One connection to the server, which tells the ledger all that it asks and hears. Throws only when there is no answer. */
export class CrashClient {
  private constructor(private readonly connection: ApiConnection, private readonly ledger: Ledger) {}

  static async open(credentials: Credentials, ledger: Ledger): Promise<CrashClient> {
    return new CrashClient(await ApiConnection.open(credentials), ledger);
  }

  close(): void {
    this.connection.close();
  }

  async list(kind: TestedKind): Promise<{ states: Map<Key, Seen>; revision: number }> {
    const { status, body } = await this.connection.request("GET", kind.collection);
    if (status !== 200) throw new Error(`the list of ${kind.name} was answered with ${status}: ${text(body)}`);
    const { items, metadata } = JSON.parse(text(body)) as { items: ApiObject[]; metadata: { resourceVersion: string } };
    return { states: new Map(items.flatMap((item) => kind.read(item) ?? []).map((seen) => [seen.key, seen])), revision: Number(metadata.resourceVersion) };
  }

  /** What is there now. */
  async get(kind: TestedKind, key: Key): Promise<Seen | undefined> {
    const floor = this.ledger.floor(key);
    const { status, body } = await this.connection.request("GET", `${kind.collection}/${nameOf(key)}`);
    if (status !== 200 && status !== 404) throw new Error(`a read was answered with ${status}: ${text(body)}`);
    const seen = status === 200 ? kind.read(JSON.parse(text(body)) as ApiObject) : undefined;
    this.ledger.read(key, seen, floor);
    return seen;
  }

  create(kind: TestedKind, key: Key): Promise<Seen | undefined> {
    return this.#put(kind, this.ledger.begin({ key, type: "create", volatile: false, content: kind.content }), "POST");
  }

  /** A volatile one changes nothing but that a lease has been renewed. */
  update(kind: TestedKind, key: Key, before: Seen, { volatile = false }: { volatile?: boolean } = {}): Promise<Seen | undefined> {
    return this.#put(kind, this.ledger.begin({ key, type: "update", volatile, expected: before.revision, content: volatile ? before.content! : kind.content }), "PUT");
  }

  async delete(kind: TestedKind, key: Key, before: Seen): Promise<boolean> {
    const attempt = this.ledger.begin({ key, type: "delete", volatile: false, expected: before.revision, content: "" });
    const { status, body } = await this.connection.request("DELETE", `${kind.collection}/${nameOf(key)}`, JSON.stringify({ kind: "DeleteOptions", apiVersion: "v1", preconditions: { resourceVersion: String(before.revision) } }));
    if (!this.#judge(attempt, status, body)) return false;
    this.ledger.acknowledge(attempt);
    return true;
  }

  /** The new state; nothing when the server has refused it. */
  async #put(kind: TestedKind, attempt: Attempt, method: "POST" | "PUT"): Promise<Seen | undefined> {
    const name = nameOf(attempt.key), metadata = { name, ...(attempt.expected === undefined ? {} : { resourceVersion: String(attempt.expected) }) };
    const { status, body } = await this.connection.request(method, method === "POST" ? kind.collection : `${kind.collection}/${name}`, JSON.stringify({ ...kind.body(attempt), metadata }));
    if (!this.#judge(attempt, status, body)) return undefined;
    const revision = Number((JSON.parse(text(body)) as ApiObject).metadata.resourceVersion);
    this.ledger.acknowledge(attempt, revision);
    return { key: keyOf(kind, name), revision, number: attempt.number, content: attempt.content };
  }

  /** Whether it was done. A server that fails may have done it: then nobody knows. */
  #judge(attempt: Attempt, status: number, body: Buffer): boolean {
    if (status < 300) return true;
    if (status >= 500) throw new Error(`a write was answered with ${status}: ${text(body)}`);
    this.ledger.refuse(attempt);
    return false;
  }
}

/** A body, whichever way it was sent: one in chunks has their lengths around it. */
function text(body: Buffer): string {
  const plain = body.toString();
  if (plain.startsWith("{")) return plain;
  const parts: Buffer[] = [];
  for (let at = 0; at < body.length;) {
    const lineEnd = body.indexOf("\r\n", at), length = parseInt(body.toString("latin1", at, lineEnd), 16);
    if (!(length > 0)) break;
    parts.push(body.subarray(lineEnd + 2, lineEnd + 2 + length));
    at = lineEnd + 4 + length;
  }
  return Buffer.concat(parts).toString();
}
