import type { Clock } from "../../base/clock.ts";
import { GrpcChannel } from "../../base/grpc/channel.ts";
import type { GrpcTls } from "../../base/grpc/connect.ts";
import { GrpcError } from "../../base/grpc/error.ts";
import { logger } from "../../base/log.ts";
import { StorageError } from "../storage.ts";
import { type Endpoint, parseEndpoint } from "./endpoints.ts";
import { passes, toStorageError, untouched, whyNot } from "./errors.ts";
import { codec, methods, type Calls, type ResponseHeader, type StatusResponse } from "./messages.ts";

export interface EtcdClientOptions {
  endpoints: readonly Endpoint[];
  /** Needed for https endpoints. A function where certificates are renewed: it is asked at each connection. */
  tls?: GrpcTls | (() => GrpcTls);
  clock: Clock;
  /** Once it aborts, what fails isn't tried again: whoever stops has no time for that. */
  stopping?: AbortSignal;
}

/** What one call may take on one member. etcd gives a write up after seven seconds (five, and two elections), when another leader has long been elected. */
const callTimeoutMs = { Range: 8000, Txn: 3000, Compact: 8000, Status: 3000, Alarm: 8000, Defragment: 60_000, MemberList: 3000, MemberAdd: 8000, MemberPromote: 8000, MemberUpdate: 8000, MemberRemove: 8000 } as const satisfies Record<keyof Calls, number>;
/** For how long a call goes from member to member. */
const defaultPatienceMs = 10_000;
/** A silent connection is asked for a sign of life; etcd takes offence below five seconds (--grpc-keepalive-min-time). */
const keepaliveMs = 6000;
/** A member without a leader says so at once, instead of letting the call wait for one. */
export const requireLeader = { hasleader: "true" } as const;

const log = logger("etcd");

/** Talks to one member at a time, and to the next when that fails. */
export class EtcdClient {
  readonly #channels: readonly GrpcChannel[];
  readonly #endpoints: readonly Endpoint[];
  readonly #clock: Clock;
  readonly #tls: EtcdClientOptions["tls"];
  readonly #stopping: AbortSignal | undefined;
  #current = 0;
  /** Whether a call has been answered since a member was left. */
  #served = true;
  #cluster: string | undefined;

  constructor({ endpoints, tls, clock, stopping }: EtcdClientOptions) {
    this.#endpoints = endpoints;
    this.#clock = clock;
    this.#tls = tls;
    this.#stopping = stopping;
    this.#channels = endpoints.map((endpoint) => this.#open(endpoint));
  }

  get endpoint(): Endpoint {
    return this.#endpoints[this.#current]!;
  }

  get channel(): GrpcChannel {
    return this.#channels[this.#current]!;
  }

  /**
   * Asks each member whether it is there; throws in one sentence when none can be used for ten seconds, or when they are of different clusters.
   * Changes nothing.
   */
  async meet(): Promise<void> {
    const until = this.#clock.monotonic() + defaultPatienceMs;
    for (;;) {
      const answers = await Promise.all(this.#channels.map((channel, i) => this.#statusOf(channel).catch((error: unknown) => whyNot(this.#endpoints[i]!, error))));
      const there = answers.findIndex((answer) => typeof answer !== "string");
      for (const answer of answers) if (typeof answer !== "string") this.#mustBeOfCluster(answer.header);
      if (there >= 0) {
        this.#current = there;
        for (const answer of answers) if (typeof answer === "string") log.warn("A member of etcd can't be used now", { error: answer });
        return;
      }
      const hopeless = answers.every((answer) => !/nothing listens|doesn't answer|no answer|doesn't serve/.test(answer as string));
      if (hopeless || this.#clock.monotonic() >= until) throw new StorageError("io", `etcd can't be used: ${this.#summary(answers as string[])}`);
      await this.#clock.sleep(500);
    }
  }

  /**
   * One call. `repeatable` ones are made again elsewhere when their outcome is not known; others only when they have certainly not happened.
   * Throws a `StorageError`: "unavailable" when nothing has happened, "io" when that is not known. `patienceMs` is how long it tries.
   */
  async call<M extends keyof Calls>(method: M, request: Calls[M][0], { repeatable, patienceMs = defaultPatienceMs }: { repeatable: boolean; patienceMs?: number }): Promise<Calls[M][1]> {
    const { path, request: requestType, response } = methods[method];
    const bytes = codec.encode(requestType, request as Record<string, unknown>);
    const until = this.#clock.monotonic() + patienceMs;
    for (let tries = 1; ; tries++) {
      const at = this.#current;
      try {
        const answer = codec.decode(response, await this.#channels[at]!.unary(path, bytes, { timeoutMs: Math.min(callTimeoutMs[method], Math.max(until - this.#clock.monotonic(), 1000)), metadata: requireLeader })) as Calls[M][1];
        this.#mustBeOfCluster(answer.header);
        this.#served = true;
        return answer;
      } catch (error) {
        if (!(error instanceof GrpcError) || !passes(error)) throw toStorageError(error, { repeatable });
        this.leave(at, error);
        if (!(repeatable || untouched(error)) || this.givesUp(until)) throw toStorageError(error, { repeatable });
      }
      if (tries % this.#channels.length === 0) await this.#clock.sleep(Math.min(50 * 2 ** (tries / this.#channels.length), 1000));
    }
  }

  /** True when nothing is to be tried again that should have worked until then, by the monotonic clock. */
  givesUp(until: number): boolean {
    return this.#stopping?.aborted === true || this.#clock.monotonic() >= until;
  }

  /**
   * `act` on a connection to each member, one after the other; also to those that are no endpoint here, as when they joined later. Throws a
   * `StorageError`, "unavailable", before the first when one can't be reached.
   */
  async eachMember(act: (member: GrpcChannel) => Promise<void>): Promise<void> {
    const opened: GrpcChannel[] = [];
    try {
      for (const member of await this.#memberChannels(opened)) await act(member);
    } finally {
      for (const channel of opened) channel.close();
    }
  }

  /** After `first`, defragments each member's database, however long each takes. Throws as `eachMember` does. */
  async defragmentAll(first: () => Promise<void>): Promise<void> {
    let begun: Promise<void> | undefined;
    await this.eachMember(async (member) => {
      await (begun ??= first());
      await defragment(member);
    });
  }

  /** One for each member; those that are made for it are added to `opened`. */
  async #memberChannels(opened: GrpcChannel[]): Promise<GrpcChannel[]> {
    const { members = [] } = await this.call("MemberList", {}, { repeatable: true });
    const memberAt = async (channel: GrpcChannel): Promise<string | undefined> => (await this.#statusOf(channel).catch(() => undefined))?.header?.memberId;
    const found = new Map(await Promise.all(this.#channels.map(async (channel) => [await memberAt(channel), channel] as const)));
    for (const { id, name, clientUrls = [] } of members) {
      for (const url of clientUrls.filter((each) => /^https?:/.test(each) && !found.has(id))) {
        const channel = this.#open(parseEndpoint(url));
        opened.push(channel);
        if (await memberAt(channel) === id) found.set(id, channel);
      }
      if (!found.has(id)) throw new StorageError("unavailable", `the member ${name || id} of etcd can't be reached${clientUrls.length > 0 ? ` at ${clientUrls.join(", ")}` : ""}`);
    }
    return members.map(({ id }) => found.get(id)!);
  }

  /** Where calls go. */
  get current(): number {
    return this.#current;
  }

  /** The member numbered `at` has failed: the next one, unless somebody has gone there already. */
  leave(at: number, error: GrpcError): void {
    if (this.#current !== at) return;
    this.#current = (at + 1) % this.#channels.length;
    if (!this.#served) return;
    this.#served = false;
    if (this.#current !== at) log.info("A member of etcd doesn't serve: going to another", { from: this.#endpoints[at]!.url, to: this.endpoint.url, error: error.message });
  }

  close(): void {
    for (const channel of this.#channels) channel.close();
  }

  /** What is wrong with all of them alike is said once. */
  #summary(sentences: readonly string[]): string {
    const alike = new Set(sentences.map((sentence, i) => sentence.replaceAll(this.#endpoints[i]!.url, "").replaceAll(this.#endpoints[i]!.host, "")));
    return alike.size === 1 && sentences.length > 1 ? `${sentences[0]}; so it is with all of them` : sentences.join("; ");
  }

  #open({ host, port, tls, url }: Endpoint): GrpcChannel {
    return new GrpcChannel({ host, port, ...(tls ? { tls: this.#tls ?? {} } : {}) }, url, { keepaliveMs });
  }

  async #statusOf(channel: GrpcChannel): Promise<StatusResponse> {
    return codec.decode("StatusResponse", await channel.unary(methods.Status.path, new Uint8Array(), { timeoutMs: 3000 })) as StatusResponse;
  }

  #mustBeOfCluster(header: ResponseHeader | undefined): void {
    const cluster = header?.clusterId;
    // Some answers don't tell.
    if (cluster === undefined) return;
    this.#cluster ??= cluster;
    if (cluster !== this.#cluster) throw new StorageError("io", "the endpoints of --datastore-endpoint belong to different etcd clusters: name the members of one");
  }
}

/** However long it takes. Throws a `StorageError`. */
export async function defragment(member: GrpcChannel): Promise<void> {
  await member.unary(methods.Defragment.path, new Uint8Array()).catch((error: unknown) => {
    throw toStorageError(error, { repeatable: true });
  });
}
