import { buildOciImage } from "./oci-image.ts";

/** The sandbox image: a static program of a few hundred bytes that holds a pod's namespaces and reaps orphans. */
export const pauseReference = "localhost/skiff/pause:1";

/**
 * Machine code of, on both architectures: block SIGINT, SIGTERM and SIGCHLD; wait for one of them (rt_sigtimedwait);
 * on SIGCHLD reap without blocking (wait4 WNOHANG) until nothing is left; on the others exit with 0. The last eight bytes are the signal mask.
 */
const code: Record<string, { machine: number; text: string }> = {
  amd64: {
    machine: 62,
    text: "b80e00000031ff488d355a00000031d241ba080000000f05" + "b880000000488d3d4400000031f631d241ba080000000f05" + "83f811740c83f802742583f80f7420ebd7"
      + "b83d00000048c7c7ffffffff31f6ba010000004531d20f0585c07fe4ebb9" + "b83c00000031ff0f05" + "0240010000000000",
  },
  arm64: {
    machine: 183,
    text: "e81080d2000080d2c1030010020080d2030180d2010000d4" + "281180d220030010010080d2020080d2030180d2010000d4" + "1f4400f1c00000541f0800f1a00100541f3c00f160010054f4ffff17"
      + "882080d200008092010080d2220080d2030080d2010000d41f0000f12cffff54ebffff17" + "a80b80d2000080d2010000d4" + "1f2003d5" + "0240010000000000",
  },
};

const loadAddress = 0x400000;
const elfHeaderSize = 64;
const programHeaderSize = 56;

/** A static ELF64 executable of one read-execute segment. */
export function pauseProgram(architecture: string): Uint8Array {
  const program = code[architecture];
  if (!program) throw new Error(`there is no pause program for the architecture ${architecture}`);
  const text = Buffer.from(program.text, "hex");
  const start = elfHeaderSize + programHeaderSize;
  const elf = Buffer.alloc(start + text.length);
  elf.set([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1]);
  elf.writeUInt16LE(2, 16); // ET_EXEC
  elf.writeUInt16LE(program.machine, 18);
  elf.writeUInt32LE(1, 20);
  elf.writeBigUInt64LE(BigInt(loadAddress + start), 24); // entry point
  elf.writeBigUInt64LE(BigInt(elfHeaderSize), 32); // program headers
  elf.writeUInt16LE(elfHeaderSize, 52);
  elf.writeUInt16LE(programHeaderSize, 54);
  elf.writeUInt16LE(1, 56);
  elf.writeUInt32LE(1, elfHeaderSize); // PT_LOAD
  elf.writeUInt32LE(5, elfHeaderSize + 4); // read, execute
  elf.writeBigUInt64LE(BigInt(loadAddress), elfHeaderSize + 16);
  elf.writeBigUInt64LE(BigInt(loadAddress), elfHeaderSize + 24);
  elf.writeBigUInt64LE(BigInt(elf.length), elfHeaderSize + 32);
  elf.writeBigUInt64LE(BigInt(elf.length), elfHeaderSize + 40);
  elf.writeBigUInt64LE(0x10000n, elfHeaderSize + 48);
  elf.set(text, start);
  return elf;
}

export function pauseImage(architecture: string): Promise<Uint8Array> {
  return buildOciImage({
    reference: pauseReference, architecture,
    files: [{ path: "pause", mode: 0o755, data: pauseProgram(architecture) }],
    config: { Entrypoint: ["/pause"], User: "65535:65535" },
  });
}

/** Go's name of this machine's architecture. */
export const nodeArchitecture = process.arch === "x64" ? "amd64" : process.arch;
