import { createHash } from "node:crypto";
import { createReadStream, statSync } from "node:fs";
import { dirname, join } from "node:path";
import { methodNotAllowed, noSuchPath, tooManyRequests } from "../../apimachinery/status.ts";
import type { HttpHandler, HttpRequest, HttpResponse } from "../../base/http.ts";
import { hostTarget } from "../../build/host-target.ts";

const targets = ["skiff-linux-x64", "skiff-linux-arm64", "skiff-linux-x64-musl", "skiff-linux-arm64-musl"] as const;

/** At once; an executable is as large as a film, and the server has other work. Clients are told to come again. */
const mostDownloads = 8;

export interface DownloadOptions {
  /** `<data-dir>/server/static`: executables that an administrator put there, for machines of another kind than the server. */
  directory: string;
  /** This executable; undefined when the server runs from its sources. */
  executable: string | undefined;
}

/** The path of the executable that runs, if it is one. */
export const ownExecutable = (): string | undefined => (Bun.main.startsWith("/$bunfs/") ? process.execPath : undefined);

/**
 * What a machine on a network of its own needs to become an agent: `/v1-skiff/install.sh`, `/v1-skiff/binaries/<name>`, where the name may be
 * short (`arm64`), and `/v1-skiff/binaries/sha256sums.txt`. Open to everybody, as releases are.
 */
export function downloads(options: DownloadOptions): Readonly<Record<string, HttpHandler>> {
  const checksum = rememberedChecksums();
  let running = 0;
  const binary = (name: string): HttpHandler => async (request, response) => {
    const file = locate(options, name);
    if (!file) throw noSuchPath();
    if (running >= mostDownloads) throw tooManyRequests("many machines are fetching executables: try again in a few seconds", 5);
    running++;
    try {
      await sendFile(request, response, file);
    } finally {
      running--;
    }
  };
  const sums: HttpHandler = async (_, response) => {
    const lines: string[] = [];
    for (const name of targets) {
      const file = locate(options, name);
      if (file) lines.push(`${await checksum(file)}  ${name}\n`);
    }
    response.send(200, { "Content-Type": "text/plain; charset=utf-8" }, lines.join(""));
  };
  const script: HttpHandler = async (_, response) => response.send(200, { "Content-Type": "text/x-shellscript; charset=utf-8" }, await installScript());
  const routes = [["/v1-skiff/install.sh", script], ["/v1-skiff/binaries/sha256sums.txt", sums], ...targets.flatMap((name) => [name, name.replace("skiff-linux-", "")].map((asked) => [`/v1-skiff/binaries/${asked}`, binary(name)] as const))] as const;
  return Object.fromEntries(routes.map(([path, handler]) => [path, reading(handler)]));
}

const reading = (handler: HttpHandler): HttpHandler => (request, response) => {
  if (request.method !== "GET") throw methodNotAllowed();
  return handler(request, response);
};

/** What the administrator put there wins; beside the own executable lie those that were built or unpacked with it. */
function locate({ directory, executable }: DownloadOptions, name: string): string | undefined {
  const own = name === hostTarget ? executable : undefined;
  return [join(directory, name), ...(own ? [own] : []), ...(executable ? [join(dirname(executable), name)] : [])].find(isFile);
}

const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;

/** By path, and anew when the file has changed. */
function rememberedChecksums(): (file: string) => Promise<string> {
  const known = new Map<string, { stamp: string; sum: Promise<string> }>();
  return (file) => {
    const { mtimeMs, size, ino } = statSync(file);
    const stamp = `${ino}/${size}/${mtimeMs}`;
    const remembered = known.get(file);
    if (remembered?.stamp === stamp) return remembered.sum;
    const sum = checksumOf(file);
    sum.catch(() => known.delete(file));
    known.set(file, { stamp, sum });
    return sum;
  };
}

async function checksumOf(file: string): Promise<string> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(file, { highWaterMark: chunkBytes }) as AsyncIterable<Buffer>) hash.update(chunk);
  return hash.digest("hex");
}

const chunkBytes = 256 << 10;

async function sendFile({ signal }: HttpRequest, response: HttpResponse, file: string): Promise<void> {
  const stream = response.stream(200, { "Content-Type": "application/octet-stream" });
  try {
    for await (const chunk of createReadStream(file, { highWaterMark: chunkBytes }) as AsyncIterable<Buffer>) {
      if (signal.aborted) return;
      if (!stream.write(chunk)) await stream.drained();
    }
    stream.end();
  } catch {
    stream.abort();
  }
}

async function installScript(): Promise<string> {
  // A literal path, so that the bundler finds it and it lies in the executable.
  const { default: text } = (await import("../../../install.sh" as string, { with: { type: "text" } })) as { default: string };
  return text;
}
