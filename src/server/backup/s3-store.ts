import { S3Client, type S3ListObjectsResponse } from "bun";
import { UsageError } from "../settings.ts";
import { defaultPatienceMs, Patience } from "./patience.ts";
import { type BackupStore, listed, NameTakenError } from "./store.ts";

export interface S3Options {
  /** Such as `s3.example.com:9000`, or with a scheme; Amazon's when it is left out. */
  endpoint?: string;
  bucket: string;
  region: string;
  /** Without a slash at either end; empty for the bucket itself. */
  folder: string;
  accessKey?: string;
  secretKey?: string;
  /** Plain HTTP. */
  insecure: boolean;
}

/** What is sent as one request; two of them are in memory at a time. */
const partBytes = 8 * 1024 * 1024;

/** Backups in a bucket. */
export function s3Store({ endpoint, bucket, region, folder, accessKey, secretKey, insecure }: S3Options, { patienceMs = defaultPatienceMs } = {}): BackupStore {
  const client = new S3Client({
    bucket, region, ...(accessKey ? { accessKeyId: accessKey } : {}), ...(secretKey ? { secretAccessKey: secretKey } : {}),
    ...(endpoint ? { endpoint: /^https?:\/\//.test(endpoint) ? endpoint : `${insecure ? "http" : "https"}://${endpoint}` } : {}),
  });
  const key = (name: string): string => (folder ? `${folder}/${name}` : name);
  const locate = (name: string): string => `s3://${bucket}/${key(name)}`;
  const where = endpoint ?? "Amazon S3";
  // Bun's client waits for ever for a server that says nothing.
  const told = async <T>(name: string, doing: Promise<T>, patience = new Patience(patienceMs)): Promise<T> => {
    try {
      return await Promise.race([doing, patience.over]);
    } catch (error) {
      throw error === patience ? new UsageError(`${where} has not answered for ${patienceMs / 1000} seconds: see whether it is well, and whether it can be reached from here`) : usable(error, locate(name), where);
    } finally {
      patience.end();
    }
  };
  // Answers to HEAD have no body that would say what is wrong.
  const exists = async (name: string): Promise<boolean> => ((await told(name, client.list({ prefix: key(name), maxKeys: 1 }))).contents ?? []).some((each) => each.key === key(name));
  return {
    locate,
    async put(name, content, { replace = false } = {}) {
      const reader = content.getReader();
      try {
        if (!replace && await exists(name)) throw new NameTakenError(locate(name));
        // In parts, which become an object at the end and not before. As a Response: a writer would make one of what there was when it is told of an error.
        const patience = new Patience(patienceMs);
        const body = new Response(patience.renewedBy(reader));
        return await told(name, client.write(key(name), body, { partSize: partBytes, queueSize: 1, retry: 3, type: "application/octet-stream" }), patience);
      } catch (error) {
        await reader.cancel(error).catch(() => undefined);
        throw error;
      }
    },
    async list() {
      const found: { name: string; bytes: number }[] = [];
      let continuationToken: string | undefined;
      do {
        const page: S3ListObjectsResponse = await told("", client.list({ prefix: key(""), ...(continuationToken ? { continuationToken } : {}) }));
        found.push(...(page.contents ?? []).map((each) => ({ name: each.key.slice(key("").length), bytes: each.size ?? 0 })));
        continuationToken = page.isTruncated ? page.nextContinuationToken : undefined;
      } while (continuationToken);
      return listed(found.filter(({ name }) => !name.includes("/")));
    },
    open(name) {
      const stream = client.file(key(name)).stream();
      const reader = stream.getReader();
      return new ReadableStream<Uint8Array>({
        async pull(controller) {
          const { done, value } = await told(name, reader.read());
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: (reason) => reader.cancel(reason),
      });
    },
    async remove(name) {
      if (!await exists(name)) throw new UsageError(`there is no backup ${locate(name)}: "skiff backup list" shows those there are`);
      await told(name, client.delete(key(name)));
    },
  };
}

/** Bun's words for an error that is none of S3's. */
const silence = "an unexpected error has occurred";

/** Errors of S3 by what a user can do about them. Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html. */
function usable(error: unknown, what: string, endpoint: string): unknown {
  if (!(error instanceof Error) || error.name !== "S3Error") return error;
  const { code = "", message } = error as Error & { code?: string };
  const sentences: Record<string, string> = {
    NoSuchKey: `there is no backup ${what}: "skiff backup list" shows those there are`,
    NoSuchBucket: `there is no bucket for ${what}: create it at ${endpoint}, or name another with --backup-s3-bucket`,
    InvalidAccessKeyId: `${endpoint} does not know the access key: see --backup-s3-access-key`,
    SignatureDoesNotMatch: `${endpoint} does not accept the secret key: see --backup-s3-secret-key, and --backup-s3-region`,
    AccessDenied: `${endpoint} refuses access to ${what}: see --backup-s3-access-key, and what its owner may do`,
    ERR_S3_MISSING_CREDENTIALS: "S3 needs credentials: give --backup-s3-access-key and --backup-s3-secret-key, best as environment variables or in the configuration file",
  };
  const untrusted = /SELF_SIGNED|UNABLE_TO_VERIFY|UNABLE_TO_GET_ISSUER|CERT/.test(code) ? `the certificate of ${endpoint} can't be trusted (${code}): name its CA with --backup-s3-endpoint-ca` : undefined;
  const answered = /^[A-Z][A-Za-z]+$/.test(code) && message !== silence ? `${endpoint} refuses ${what} (${code}: ${message})` : undefined;
  return new UsageError(sentences[code] ?? untrusted ?? answered ?? `${what} could not be reached at ${endpoint} (${code || message})`, { cause: error });
}
