import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import type { GrpcTls } from "../../base/grpc/connect.ts";
import { logger } from "../../base/log.ts";
import { parseEndpoints, type Endpoint } from "../../storage/etcd/endpoints.ts";
import type { EtcdClientOptions } from "../../storage/etcd/etcd-client.ts";
import type { Setting, SettingValues } from "../options.ts";
import { UsageError } from "../settings.ts";

/** An etcd cluster to keep the state in. Names are K3s'. */
export const etcdSettings = [
  { name: "datastore-endpoint", type: "string", defaultText: "a file below --data-dir", placeholder: "urls", group: "Datastore", description: "Keep the cluster's state in etcd (v3.4 or later) instead, by the addresses of its members, such as https://10.0.0.5:2379,https://10.0.0.6:2379; several servers may use the same" },
  { name: "datastore-cafile", type: "string", defaultText: "those that the system trusts", placeholder: "file", group: "Datastore", description: "Certificates of the authority that etcd's are signed by" },
  { name: "datastore-certfile", type: "string", placeholder: "file", group: "Datastore", description: "Certificate by which etcd knows this server" },
  { name: "datastore-keyfile", type: "string", placeholder: "file", group: "Datastore", description: "Key of --datastore-certfile" },
] as const satisfies readonly Setting[];

export interface EtcdOptions {
  endpoints: readonly Endpoint[];
  tls?: EtcdClientOptions["tls"];
}

const log = logger("datastore");

/** Undefined when no etcd is asked for. Throws a `UsageError`. */
export function parseEtcdOptions(values: SettingValues): (EtcdOptions & { tls?: () => GrpcTls }) | undefined {
  const given = values["datastore-endpoint"] as string | undefined;
  const files = { ca: values["datastore-cafile"], cert: values["datastore-certfile"], key: values["datastore-keyfile"] } as Record<keyof GrpcTls, string | undefined>;
  const named = Object.values(files).some((file) => file);
  if (!given) {
    if (named) throw new UsageError("--datastore-cafile, --datastore-certfile and --datastore-keyfile are for etcd: name its members with --datastore-endpoint too");
    return undefined;
  }
  const endpoints = endpointsOf(given);
  if (!endpoints[0]!.tls) {
    if (named) throw new UsageError("--datastore-endpoint begins with http://, which has no certificates: write https://, or leave out --datastore-cafile, --datastore-certfile and --datastore-keyfile");
    return { endpoints };
  }
  if (!files.cert !== !files.key) throw new UsageError("--datastore-certfile and --datastore-keyfile go together: give both or none");
  const read = (): GrpcTls => {
    const tls = { ...pem("ca", files.ca, (text) => new X509Certificate(text)), ...pem("cert", files.cert, (text) => new X509Certificate(text)), ...pem("key", files.key, (text) => createPrivateKey(text)) };
    if (tls.cert && tls.key && !new X509Certificate(tls.cert).checkPrivateKey(createPrivateKey(tls.key))) throw new UsageError(`--datastore-keyfile: ${files.key} is not the key of --datastore-certfile ${files.cert}`);
    return tls;
  };
  return { endpoints, tls: following(read) };
}

/** Certificates that are renewed while the server runs: read again whenever they are asked for. Where they can't be, as amid being replaced, those of before do. */
function following(read: () => GrpcTls): () => GrpcTls {
  let last = read();
  return () => {
    try {
      last = read();
    } catch (error) {
      log.warn("The certificates for etcd could not be read again: those of before are used", { error });
    }
    return last;
  };
}

function endpointsOf(text: string): Endpoint[] {
  const other = /^(sqlite|mysql|postgres|nats|file)\b/.exec(text)?.[1];
  if (other) throw new UsageError(`--datastore-endpoint can't be ${other}: it takes etcd's addresses, such as https://10.0.0.5:2379; without it the state is kept in a file of Skiff's own`);
  try {
    return parseEndpoints(text);
  } catch (error) {
    throw new UsageError(`--datastore-endpoint: ${(error as Error).message}`, { cause: error });
  }
}

function pem(part: keyof GrpcTls, file: string | undefined, check: (text: string) => unknown): GrpcTls {
  if (!file) return {};
  const flag = `--datastore-${part}file`, what = part === "key" ? "private key" : "certificate";
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch (error) {
    throw new UsageError(`${flag}: ${file} can't be read (${(error as NodeJS.ErrnoException).code ?? error})`, { cause: error });
  }
  try {
    check(text);
  } catch (error) {
    throw new UsageError(`${flag}: ${file} holds no ${what} in PEM`, { cause: error });
  }
  return { [part]: text };
}
