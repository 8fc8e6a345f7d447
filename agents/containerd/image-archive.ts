import { createReadStream } from "node:fs";
import { open } from "node:fs/promises";
import { createGunzip, createZstdDecompress } from "node:zlib";
import type { Readable } from "node:stream";

interface Compression {
  name: string;
  magic: readonly number[];
  /** In process, or a program that reads the archive on stdin. */
  transform?: () => NodeJS.ReadWriteStream;
  program?: string[];
}

const compressions: readonly Compression[] = [
  { name: "gzip", magic: [0x1f, 0x8b], transform: createGunzip },
  { name: "zstd", magic: [0x28, 0xb5, 0x2f, 0xfd], transform: createZstdDecompress },
  { name: "xz", magic: [0xfd, 0x37, 0x7a, 0x58, 0x5a], program: ["xz", "-dc"] },
  { name: "bzip2", magic: [0x42, 0x5a, 0x68], program: ["bzip2", "-dc"] },
  { name: "lz4", magic: [0x04, 0x22, 0x4d, 0x18], program: ["lz4", "-dc"] },
];

/** Image archives by name; anything else in the directory is left alone. */
export const isImageArchive = (name: string): boolean => /\.(tar|tar\.(gz|zst|xz|bz2|lz4)|tgz|tzst|txz|tbz|tbz2)$/.test(name) && !name.startsWith(".");

/** The tar inside an OCI or Docker image archive, whatever its compression, told by its first bytes rather than its name. */
export async function openImageArchive(path: string): Promise<Readable | ReadableStream<Uint8Array>> {
  const compression = compressionOf(await firstBytes(path));
  if (!compression) return createReadStream(path);
  if (compression.transform) return createReadStream(path).pipe(compression.transform()) as unknown as Readable;
  const [program] = compression.program!;
  if (!Bun.which(program!)) throw new Error(`${path} is compressed with ${compression.name}, and the program ${program} is not installed: install it, or compress the archive with gzip or zstd`);
  return Bun.spawn(compression.program!, { stdin: Bun.file(path), stdout: "pipe", stderr: "ignore" }).stdout;
}

export function compressionOf(head: Uint8Array): Compression | undefined {
  return compressions.find(({ magic }) => magic.every((byte, i) => head[i] === byte));
}

async function firstBytes(path: string): Promise<Uint8Array> {
  const file = await open(path, "r");
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, 0);
    return buffer.subarray(0, bytesRead);
  } finally {
    await file.close();
  }
}
