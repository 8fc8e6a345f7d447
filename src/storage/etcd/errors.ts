import { GrpcCode, GrpcError } from "../../base/grpc/error.ts";
import { StorageError } from "../storage.ts";
import type { Endpoint } from "./endpoints.ts";

/** What etcd, or the way to it, fails with, as ours. Texts of etcd: https://pkg.go.dev/go.etcd.io/etcd/api/v3/v3rpc/rpctypes. */
export function toStorageError(error: unknown, { repeatable }: { repeatable: boolean }): StorageError {
  if (error instanceof StorageError) return error;
  if (!(error instanceof GrpcError)) return new StorageError("io", `etcd: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  const { code, message } = error;
  if (code === GrpcCode.OutOfRange && message.includes("compacted")) return new StorageError("compacted", message, { cause: error });
  if (message.includes("database space exceeded")) {
    return new StorageError("full", "etcd's database has grown to its quota: delete what isn't needed, or raise the quota; then, where etcd runs beside the servers (its quota is --datastore-max-size), start them anew, elsewhere defragment it (etcdctl defrag) and end the alarm (etcdctl alarm disarm)", { cause: error });
  }
  if (message === "etcdserver: request is too large" || message.includes("received message larger than max")) {
    return new StorageError("tooLarge", "the object is too large for etcd, which takes 1.5 MiB (--max-request-bytes)", { cause: error });
  }
  if (code === GrpcCode.PermissionDenied || code === GrpcCode.Unauthenticated) return new StorageError("io", `etcd doesn't let us in (${message}): the client certificate's user needs all keys, with the role root`, { cause: error });
  if (repeatable || untouched(error)) return new StorageError("unavailable", `etcd doesn't serve: ${message}`, { cause: error });
  return new StorageError("io", `etcd was lost amid a write, which may have happened or not: ${message}`, { cause: error });
}

/** Whether a write that failed so has certainly not happened, and never will. */
export function untouched({ unsent, message }: GrpcError): boolean {
  // A member answers the first before it proposes anything, as we ask it to (`hasleader`); the other when it has too much to do.
  return unsent || message === "etcdserver: no leader" || message === "etcdserver: too many requests";
}

/** What every member would answer, now and later. */
const settled: ReadonlySet<number> = new Set([
  GrpcCode.InvalidArgument, GrpcCode.NotFound, GrpcCode.AlreadyExists, GrpcCode.PermissionDenied, GrpcCode.ResourceExhausted, GrpcCode.FailedPrecondition, GrpcCode.OutOfRange,
  GrpcCode.Unimplemented, GrpcCode.Unauthenticated,
]);

/** Whether another member, or the same one later, may answer otherwise. */
export const passes = ({ code, message }: GrpcError): boolean => !settled.has(code) || message === "etcdserver: too many requests";

const noTls = ({ url }: Endpoint): string => `${url} doesn't speak TLS: if that etcd is meant to be without, write http://`;

const refusals: [codes: RegExp, sentence: (endpoint: Endpoint, code: string) => string][] = [
  [/ECONNREFUSED/, ({ url }) => `nothing listens at ${url}: is etcd running there?`],
  [/ENOTFOUND|EAI_AGAIN|EAI_NONAME/, ({ url, host }) => `${url} can't be reached: the name ${host} is not known`],
  [/ALTNAME/, ({ url, host }) => `the certificate of ${url} is not for ${host}: use a name or address that is in it`],
  [/CERT_HAS_EXPIRED|CERT_NOT_YET_VALID/, ({ url }, code) => `the certificate of ${url} is not valid now (${code}): renew it, or set this machine's clock`],
  [/SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|CERT_SIGNATURE/, ({ url }) => `the certificate of ${url} is not signed by the authority in --datastore-cafile`],
  [/ALERT|CERTIFICATE_REQUIRED/, ({ url }) => `${url} refuses our certificate: --datastore-certfile and --datastore-keyfile must be a client's, signed by an authority that etcd trusts`],
  [/ECONNRESET|connection was closed|WRONG_VERSION_NUMBER|PACKET_LENGTH|HTTP_REQUEST/, noTls],
  [/ETIMEDOUT|EHOSTUNREACH|ENETUNREACH/, ({ url }, code) => `${url} doesn't answer (${code})`],
];

/** Why one endpoint can't be used, in a sentence that says what to do. */
export function whyNot(endpoint: Endpoint, error: unknown): string {
  const cause = error instanceof GrpcError ? error.cause : undefined;
  const code = `${(cause as { code?: string } | undefined)?.code ?? ""} ${error instanceof Error ? error.message : String(error)}`;
  const known = refusals.find(([codes, sentence]) => codes.test(code) && (endpoint.tls || sentence !== noTls));
  if (known) return known[1](endpoint, code.trim().split(" ")[0]!);
  const hint = !endpoint.tls && error instanceof GrpcError && error.code === GrpcCode.Unavailable ? "; if it speaks TLS, write https://" : "";
  return `${endpoint.url}: ${error instanceof Error ? error.message : String(error)}${hint}`;
}
