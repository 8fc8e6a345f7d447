import type { Frozen, KubeObject } from "../apimachinery/meta.ts";
import { proxyOption } from "../base/proxy/environment.ts";
import { apiVersionOf, type AnyResource, type ResourceCard } from "../apimachinery/resource.ts";
import { serviceUnavailable, StatusError } from "../apimachinery/status.ts";
import { callBy, watchBy } from "./carried.ts";
import type { Carrier, Transport } from "./transport.ts";
import type { Client, ObjectKey, ObjectList, WatchEvent, WatchOptions, WriteOptions } from "./client.ts";

/** A server and how it is talked to. */
export interface Endpoint {
  /** Such as `https://127.0.0.1:6443`, or `http://localhost` with `unix`. */
  server: string;
  /** PEM. Without `ca` the system's authorities are trusted. */
  tls?: { ca?: string; cert?: string; key?: string };
  /** Aborts when this server is given up: watches that hang on it end as unreachable. */
  givenUp?: AbortSignal;
}

export interface HttpClientOptions extends Partial<Endpoint> {
  /** Asked for each request where servers and certificates change; instead of `server`. */
  endpoint?: () => Endpoint;
  /** It could not be reached, broke off, or did not answer in time. */
  onUnreachable?(endpoint: Endpoint): void;
  /** It doesn't know who we are, or no longer. */
  onUnauthorized?(): void;
  /** The path of a Unix socket to go through. */
  unix?: string;
  /** Read for each request, because tokens are renewed. */
  token?: () => string | undefined;
  userAgent?: string;
  /** For everything but watches, in milliseconds. Default 30 s. */
  timeout?: number;
  /** A way that is open already, used instead of connections of this client's own while it is there. */
  transport?: Transport;
}

interface Call {
  method: string;
  path: string;
  query?: Record<string, string>;
  body?: unknown;
  contentType?: string;
  signal?: AbortSignal;
  /** Without a timeout: watches. */
  endless?: boolean;
  /** Ends an endless call that has begun. */
  until?: AbortSignal;
}

/** A Client over HTTPS or a Unix socket, for components that don't run in the server process. */
export function createHttpClient(options: HttpClientOptions): Client {
  const json = async <R>(call: Call): Promise<R> => {
    const carrier = await options.transport?.carrier(call.signal);
    return (carrier ? await carried(options, carrier, call) : await (await send(options, call)).json()) as R;
  };
  return {
    get: (card, key, { subresource, signal } = {}) => json({ method: "GET", path: objectPath(card, key, subresource), signal }),
    list: (card, listOptions = {}) => json<ObjectList<any>>({ method: "GET", path: collectionPath(card, listOptions.namespace), query: listQuery(listOptions) }).then((list) => withKinds(card, list)),
    create: (card, object, writeOptions) => json({ method: "POST", path: collectionPath(card, object.metadata.namespace), query: writeQuery(writeOptions), body: withKind(card, object), signal: writeOptions?.signal }),
    createSubresource: (card, key, subresource, body, writeOptions) => json({ method: "POST", path: objectPath(card as AnyResource, key, subresource), query: writeQuery(writeOptions), body, signal: writeOptions?.signal }),
    update: (card, object, writeOptions) =>
      json({ method: "PUT", path: objectPath(card, { namespace: object.metadata.namespace, name: object.metadata.name! }, writeOptions?.subresource), query: writeQuery(writeOptions), body: writeOptions?.subresource === "scale" ? { ...object, ...scaleKind } : withKind(card, object), signal: writeOptions?.signal }),
    patch: (card, key, patch, writeOptions) =>
      json({ method: "PATCH", path: objectPath(card, key, writeOptions?.subresource), query: { ...writeQuery(writeOptions), ...("force" in patch && patch.force ? { force: "true" } : {}) }, body: patch.body, contentType: patch.type, signal: writeOptions?.signal }),
    async delete(card, key, deleteOptions) {
      await json({ method: "DELETE", path: objectPath(card, key), body: { kind: "DeleteOptions", apiVersion: "v1", ...deleteOptions } });
    },
    async deleteCollection(card, { delete: deleteOptions, ...listOptions } = {}) {
      await json({ method: "DELETE", path: collectionPath(card, listOptions.namespace), query: listQuery(listOptions), body: { kind: "DeleteOptions", apiVersion: "v1", ...deleteOptions } });
    },
    watch: (card, watchOptions, signal) => watch(options, card, watchOptions, signal),
  };
}

function collectionPath(card: AnyResource, namespace: string | undefined): string {
  const root = card.group ? `/apis/${card.group}/${card.version}` : `/api/${card.version}`;
  return card.scope === "Namespaced" && namespace ? `${root}/namespaces/${encodeURIComponent(namespace)}/${card.resource}` : `${root}/${card.resource}`;
}

function objectPath(card: AnyResource, { namespace, name }: ObjectKey, subresource?: string): string {
  return `${collectionPath(card, namespace)}/${encodeURIComponent(name)}${subresource ? `/${subresource}` : ""}`;
}

function listQuery(options: WatchOptions): Record<string, string> {
  return Object.fromEntries(Object.entries(options).filter(([name, value]) => name !== "namespace" && typeof value !== "function" && value !== undefined && value !== "").map(([name, value]) => [name, String(value)]));
}

function writeQuery(options: WriteOptions | undefined): Record<string, string> {
  return { ...(options?.dryRun ? { dryRun: "All" } : {}), ...(options?.fieldManager ? { fieldManager: options.fieldManager } : {}) };
}

const withKind = <T extends KubeObject>(card: AnyResource, object: T | Frozen<T>): T => ({ ...object, apiVersion: apiVersionOf(card), kind: card.kind }) as T;

/** The one subresource that is read and updated as another kind. */
const scaleKind = { apiVersion: "autoscaling/v1", kind: "Scale" };

/** The items of a typed list carry no kind of their own. */
function withKinds<T extends KubeObject>(card: ResourceCard<T>, list: ObjectList<T>): ObjectList<T> {
  return { metadata: list.metadata, items: (list.items ?? []).map((item) => withKind<T>(card, item) as Frozen<T>) };
}

const urlOf = ({ path, query }: Call): string => {
  const search = new URLSearchParams(query).toString();
  return search ? `${path}?${search}` : path;
};

async function carried(options: HttpClientOptions, carrier: Carrier, call: Call): Promise<unknown> {
  const { timeout = 30_000, userAgent = "skiff" } = options, { signal: asked, ...rest } = call;
  const timer = AbortSignal.timeout(timeout);
  try {
    return await callBy(carrier, { ...rest, url: urlOf(call), userAgent, signal: asked ? AbortSignal.any([asked, timer]) : timer });
  } catch (error) {
    if (asked?.aborted || error instanceof StatusError) throw error;
    throw unreachable({}, endpointOf(options), error);
  }
}

const endpointOf = ({ endpoint, server, tls }: HttpClientOptions): Endpoint => endpoint?.() ?? { server: server!, ...(tls ? { tls } : {}) };

async function send(options: HttpClientOptions, call: Call, endpoint = endpointOf(options)): Promise<Response> {
  const token = options.token?.();
  // A watch may last; that it begins is waited for no longer than for anything else.
  const ms = options.timeout ?? 30_000, begun = new AbortController();
  const timer = call.endless ? setTimeout(() => begun.abort(new Error("it did not answer in time")), ms) : undefined;
  const signals = [call.signal, ...(call.endless ? [begun.signal, endpoint.givenUp, call.until] : [AbortSignal.timeout(ms)])].filter((signal) => signal !== undefined);
  let response: Response;
  try {
    response = await fetch(endpoint.server + urlOf(call), {
      method: call.method,
      headers: {
        accept: "application/json",
        "user-agent": options.userAgent ?? "skiff",
        ...(call.body === undefined ? {} : { "content-type": call.contentType ?? "application/json" }),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
      ...(call.body === undefined ? {} : { body: JSON.stringify(call.body) }),
      signal: AbortSignal.any(signals),
      ...(endpoint.tls ? { tls: endpoint.tls } : {}),
      ...(options.unix ? { unix: options.unix } : proxyOption(endpoint.server)),
      // Bun ends a silent response after five minutes otherwise.
      timeout: false,
    } as BunFetchRequestInit);
  } catch (error) {
    if (call.signal?.aborted) throw error;
    throw unreachable(options, endpoint, error);
  } finally {
    clearTimeout(timer);
  }
  if (response.ok) return response;
  if (response.status === 401) options.onUnauthorized?.();
  throw await refusal(response);
}

function unreachable({ onUnreachable }: HttpClientOptions, endpoint: Endpoint, cause: unknown): StatusError {
  const { server } = endpoint;
  const reason = cause instanceof Error ? cause.message : String(cause);
  onUnreachable?.(endpoint);
  return new StatusError(serviceUnavailable(`cannot reach ${server}: ${reason}`).status, { cause });
}

async function refusal(response: Response): Promise<StatusError> {
  const text = await response.text().catch(() => "");
  try {
    const status = JSON.parse(text) as StatusError["status"];
    if (status.kind === "Status") return new StatusError({ ...status, code: status.code ?? response.status, message: status.message ?? "" });
  } catch {
    // Not a Status: a proxy in between, or a path nobody serves.
  }
  return new StatusError({ kind: "Status", apiVersion: "v1", metadata: {}, status: "Failure", message: text.slice(0, 500) || response.statusText, reason: "", code: response.status });
}

async function* watch<T extends KubeObject>(options: HttpClientOptions, card: ResourceCard<T>, watchOptions: WatchOptions, signal: AbortSignal): AsyncGenerator<WatchEvent<T>> {
  const { known, ...asked } = watchOptions, { transport } = options;
  const path = collectionPath(card, watchOptions.namespace), until = known && transport?.restored;
  const call: Call = { method: "GET", path, query: { ...listQuery(asked), watch: "1" }, signal, endless: true, ...(until ? { until } : {}) };
  const carrier = known && (await transport?.carrier(signal).catch(() => undefined));
  if (carrier) return yield* carriedWatch(options, carrier, card, { ...call, query: { ...call.query, timeoutSeconds: String(carriedWatchSeconds()) } }, known);
  const endpoint = endpointOf(options);
  try {
    const response = await send(options, call, endpoint);
    if (!response.body) return;
    for await (const line of lines(response.body)) {
      const event = JSON.parse(line) as WatchEvent<T> | { type: "ERROR"; object: StatusError["status"] };
      if (event.type === "ERROR") throw new StatusError(event.object);
      yield event;
    }
  } catch (error) {
    if (signal.aborted || until?.aborted) return;
    throw error instanceof StatusError ? error : unreachable(options, endpoint, error);
  }
}

/** Whether the other end is still there is the carrier's matter, so a watch may last: each that is begun anew costs more than an idle day. One to two days. */
const carriedWatchSeconds = (): number => Math.round(86_400 * (1 + Math.random()));

async function* carriedWatch<T extends KubeObject>(options: HttpClientOptions, carrier: Carrier, card: ResourceCard<T>, call: Call, known: (key: string) => Frozen<KubeObject> | undefined): AsyncGenerator<WatchEvent<T>> {
  const { timeout = 30_000, userAgent = "skiff" } = options, begun = new AbortController(), { signal } = call;
  const timer = setTimeout(() => begun.abort(new Error("it did not answer in time")), timeout);
  try {
    yield* watchBy<T>(carrier, { method: call.method, url: urlOf(call), userAgent, signal: AbortSignal.any([signal!, begun.signal]) }, {
      card, known, onBegun: () => clearTimeout(timer),
      get: async (key) => withKind<T>(card, await carried(options, carrier, { method: "GET", path: objectPath(card, key), signal: signal! }) as Frozen<T>) as Frozen<T>,
    });
  } catch (error) {
    if (signal!.aborted) return;
    throw error instanceof StatusError ? error : unreachable({}, endpointOf(options), error);
  } finally {
    clearTimeout(timer);
  }
}

async function* lines(body: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = parts.pop()!;
    for (const line of parts) if (line) yield line;
  }
}

