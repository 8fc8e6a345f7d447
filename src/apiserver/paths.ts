import { Hono } from "hono";
import { methodNotAllowed, noSuchPath, notAcceptable } from "../apimachinery/status.ts";
import type { Logger } from "../base/log.ts";
import { metricsContentType, type MetricsRegistry } from "../base/metrics.ts";
import type { ServiceAccountKeys } from "./authentication/service-account-tokens.ts";
import type { Discovery, Document } from "./discovery/documents.ts";
import { reply, replyPageNotFound, type Exchange, type ExchangeHandler } from "./exchange.ts";
import { accepts, parseAccept } from "./encoding/media-type.ts";
import { negotiateDiscovery, type DiscoveryForm } from "./encoding/negotiation.ts";
import { acceptsGzip, replyBytes } from "./encoding/reply-encoded.ts";
import { answerHealth, type HealthChecks } from "./health.ts";
import type { OpenApi, OpenApiDocument } from "./openapi/openapi.ts";
import type { VersionInfo } from "./version.ts";

export interface PathDependencies {
  discovery: Discovery;
  /** Without `invalidate`, which is for who changes the cards. */
  openApi: Omit<OpenApi, "invalidate">;
  checks: HealthChecks;
  metrics: MetricsRegistry;
  version: VersionInfo;
  serviceAccountKeys: ServiceAccountKeys;
  log: Logger;
}

type Env = { Bindings: { exchange: Exchange } };

/** Everything that is not a resource. Routes answer through the exchange, so that all answers go one way; see `answered`. */
export function pathHandler(dependencies: PathDependencies): ExchangeHandler {
  const app = routes(dependencies);
  return async (exchange) => {
    const { method } = exchange.request;
    await app.fetch(method === "GET" || method === "HEAD" ? routedGet : new Request(routedGet, { method }), { exchange });
  };
}

/** The router reads the method from here and the path from the exchange: the very path that was authorized, not a normalised URL. */
const routedGet = new Request("http://skiff/");

/** Hono wants a Response; the real one has been sent. */
const answered = new Response(null);

function routes({ discovery, openApi, checks, metrics, version, serviceAccountKeys, log }: PathDependencies): Hono<Env> {
  const app = new Hono<Env>({ getPath: (_request, options) => options!.env!.exchange.path.replace(/(.)\/$/, "$1") });
  const get = (path: string, answer: (exchange: Exchange, parameters: Record<string, string>) => void | Promise<void>): void => {
    known.push(path);
    app.get(path, async (context) => {
      await answer(context.env.exchange, context.req.param());
      return answered;
    });
    app.all(path, () => {
      throw methodNotAllowed();
    });
  };
  const known: string[] = [];

  get("/", (exchange) => replyJson(exchange, { paths: [...known.filter((path) => !path.includes(":") && path !== "/"), ...groupPaths(discovery)].sort() }));
  for (const path of ["/api", "/apis"] as const) {
    get(path, (exchange) => replyDocument(exchange, discovery.root(path, negotiateDiscovery(exchange, { aggregated: true }), exchange.request.headers["host"] ?? "")));
  }
  const plain = (exchange: Exchange): DiscoveryForm => negotiateDiscovery(exchange, { aggregated: false });
  get("/api/:version", (exchange, { version: asked }) => replyDocument(exchange, discovery.version("", asked!, plain(exchange))));
  const inGroup = (exchange: Exchange, group: string, document: (form: DiscoveryForm) => Document | undefined): void | Promise<void> => {
    const form = plain(exchange);
    return discovery.group(group, form) ? replyDocument(exchange, document(form)) : replyPageNotFound(exchange);
  };
  get("/apis/:group", (exchange, { group }) => inGroup(exchange, group!, (form) => discovery.group(group!, form)));
  get("/apis/:group/:version", (exchange, { group, version: asked }) => inGroup(exchange, group!, (form) => discovery.version(group!, asked!, form)));
  for (const kind of ["healthz", "livez", "readyz"] as const) {
    // Not being ready yet is what a start looks like, and readiness is asked for often.
    const tell = kind === "readyz" ? log.debug : log.warn;
    const onFailure = (check: string, error: unknown): void => tell("health check failed", { check, error });
    get(`/${kind}`, (exchange) => answerHealth(exchange, kind, checks[kind], undefined, onFailure));
    get(`/${kind}/:check`, (exchange, { check }) => answerHealth(exchange, kind, checks[kind], check, onFailure));
  }
  get("/version", (exchange) => {
    acceptJson(exchange);
    return replyJson(exchange, version);
  });
  get("/metrics", async (exchange) => {
    await metrics.collect();
    reply(exchange, 200, { "Content-Type": metricsContentType }, metrics.render());
  });
  get("/openapi/v2", async (exchange) => replyOpenApi(exchange, await openApi.v2(exchange.request.headers["accept"] ?? ""), v2Forms));
  get("/openapi/v3", (exchange) => replyOpenApi(exchange, openApi.v3Index(), undefined));
  get("/openapi/v3/api/:version", async (exchange, { version: asked }) => replyOpenApi(exchange, await openApi.v3(`api/${asked}`, exchange.request.headers["accept"] ?? ""), v3Forms));
  get("/openapi/v3/apis/:group/:version", async (exchange, { group, version: asked }) => replyOpenApi(exchange, await openApi.v3(`apis/${group}/${asked}`, exchange.request.headers["accept"] ?? ""), v3Forms));
  get("/.well-known/openid-configuration", (exchange) => replyJson(exchange, openIdConfiguration(serviceAccountKeys)));
  get("/openid/v1/jwks", (exchange) => reply(exchange, 200, { "Content-Type": "application/jwk-set+json", "Cache-Control": "public, max-age=3600" }, JSON.stringify(serviceAccountKeys.jwks)));
  app.notFound((context) => {
    const { exchange } = context.env;
    if (exchange.path.startsWith("/api/")) throw noSuchPath();
    replyPageNotFound(exchange);
    return answered;
  });
  app.onError((error) => {
    throw error;
  });
  return app;
}

/** Kubernetes serves its version by a router that knows JSON alone, and no wildcard but that for everything. */
function acceptJson({ request }: Exchange): void {
  if (!parseAccept(request.headers["accept"]).some(({ type }) => type === "application/json" || type === "*/*")) throw notAcceptable("406: Not Acceptable\n\nAvailable representations: application/json");
}

const groupPaths = (discovery: Discovery): string[] => discovery.groupVersions().flatMap((each) => (each.includes("/") ? [`/apis/${each.split("/")[0]}`, `/apis/${each}`] : [`/api/${each}`]));

const replyJson = (exchange: Exchange, value: object): Promise<void> => replyBytes(exchange, 200, "application/json", Buffer.from(`${JSON.stringify(value, null, 2)}\n`));

async function replyDocument(exchange: Exchange, document: Document | undefined): Promise<void> {
  if (!document) throw noSuchPath();
  const headers = { ETag: document.etag, Vary: "Accept", "Cache-Control": "public" };
  if (exchange.request.headers["if-none-match"] === document.etag) return reply(exchange, 304, headers);
  await replyBytes(exchange, 200, document.contentType, document.body, headers);
}

/** By its first name, and by that which makes a valid media type. */
const v2Forms = ["application/json", "application/com.github.proto-openapi.spec.v2@v1.0+protobuf", "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"];
const v3Forms = v2Forms.map((form) => form.replace("spec.v2", "spec.v3"));

/** OpenAPI documents are kept compressed, so that is how they go out to whoever takes it. `forms`: the media types that it is had in; undefined where nobody is refused. */
function replyOpenApi(exchange: Exchange, document: OpenApiDocument | undefined, forms: readonly string[] | undefined): void {
  if (!document) throw noSuchPath();
  if (forms && !parseAccept(exchange.request.headers["accept"]).some((clause) => forms.some((form) => accepts(clause, form)))) return reply(exchange, 406, { Vary: "Accept" });
  const headers = { ETag: document.etag, Vary: "Accept, Accept-Encoding", "Cache-Control": "public" };
  if (exchange.request.headers["if-none-match"] === document.etag) return reply(exchange, 304, headers);
  if (acceptsGzip(exchange)) return reply(exchange, 200, { ...headers, "Content-Type": document.contentType, "Content-Encoding": "gzip" }, document.gzip);
  reply(exchange, 200, { ...headers, "Content-Type": document.contentType }, document.body());
}

const openIdConfiguration = ({ issuer, jwksUri }: ServiceAccountKeys): object => ({
  issuer, jwks_uri: jwksUri, response_types_supported: ["id_token"], subject_types_supported: ["public"], id_token_signing_alg_values_supported: ["ES256"],
});
