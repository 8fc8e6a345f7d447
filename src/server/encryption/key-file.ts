import { randomBytes } from "node:crypto";
import { isObject } from "../../apimachinery/own.ts";
import { readIfExists, writeFileAtomic } from "../../base/files.ts";
import type { SealingKey } from "../../storage/sealed/envelope.ts";
import type { KeyringState } from "../../storage/sealed/keyring.ts";
import { UsageError } from "../settings.ts";

/** What a server knows of encryption at rest: `<data-dir>/server/cred/encryption-config.json`, for root alone. Whoever has this file and the database can read both. */
export interface EncryptionConfig {
  enabled: boolean;
  /** What is encrypted, such as `secrets` or `widgets.example.com`. */
  resources: string[];
  /** The first one encrypts; the others still read. */
  keys: EncryptionKey[];
  /** Something may lie on disk otherwise than it would be written now. */
  pending: boolean;
}

export interface EncryptionKey extends SealingKey {
  /** RFC 3339. */
  created: string;
}

export const noEncryption: EncryptionConfig = { enabled: false, resources: ["secrets"], keys: [], pending: false };

/** `noEncryption` when there is no file. Throws a `UsageError` for one that can't be understood: it is the only copy of its keys. */
export function readEncryptionConfig(file: string): EncryptionConfig {
  const text = readIfExists(file);
  if (text === undefined) return noEncryption;
  try {
    const content: unknown = JSON.parse(text);
    if (!isObject(content) || typeof content["enabled"] !== "boolean" || !Array.isArray(content["resources"]) || !Array.isArray(content["keys"])) throw new Error("fields are missing");
    const keys = content["keys"].map(keyOf);
    if (content["enabled"] && keys.length === 0) throw new Error("it has no key");
    return { enabled: content["enabled"], resources: content["resources"].map(String), keys, pending: content["pending"] !== false };
  } catch (error) {
    throw new UsageError(`the keys that encrypt the database can't be read from ${file} (${(error as Error).message}): restore that file from a backup; without it what is encrypted can't be read`, { cause: error });
  }
}

export interface EncryptionOptions {
  /** Turns encryption on, and never off: that is for the running server to be told. */
  enable: boolean;
  resources: string[];
}

/** What holds from this start on: what the file says, and what the options add. Writes the file when they do. */
export function encryptionAtStart(file: string, { enable, resources }: EncryptionOptions, now: number): EncryptionConfig {
  const found = readEncryptionConfig(file);
  const enabled = found.enabled || enable;
  const others = enabled && resources.toSorted().join() !== found.resources.toSorted().join();
  if (enabled === found.enabled && !others) return found;
  const config = { enabled, resources, keys: found.keys.length > 0 ? found.keys : [newEncryptionKey(now)], pending: true };
  writeEncryptionConfig(file, config);
  return config;
}

function keyOf(value: unknown): EncryptionKey {
  if (!isObject(value) || typeof value["name"] !== "string" || typeof value["secret"] !== "string") throw new Error("a key has no name or no secret");
  const secret = new Uint8Array(Buffer.from(value["secret"], "base64"));
  if (secret.length !== 32) throw new Error(`the key ${value["name"]} is not 32 bytes long`);
  return { name: value["name"], secret, created: String(value["created"] ?? "") };
}

/** Durable when it returns. */
export function writeEncryptionConfig(file: string, { keys, ...rest }: EncryptionConfig): void {
  writeFileAtomic(file, `${JSON.stringify({ ...rest, keys: keys.map(({ name, created, secret }) => ({ name, created, secret: Buffer.from(secret).toString("base64") })) }, null, 2)}\n`);
}

export function newEncryptionKey(now: number): EncryptionKey {
  const created = new Date(now).toISOString().replace(/\.\d+/, "");
  return { name: `aes-${created.slice(0, 10)}-${randomBytes(4).toString("hex")}`, secret: new Uint8Array(randomBytes(32)), created };
}

export const keyringOf = ({ enabled, keys, resources }: EncryptionConfig): KeyringState => ({ enabled, keys, prefixes: resources.map(prefixOfResource) });

/** Where its objects are stored. */
export function prefixOfResource(name: string): string {
  const dot = name.indexOf(".");
  return `/registry/${dot < 0 ? "core" : name.slice(dot + 1)}/${dot < 0 ? name : name.slice(0, dot)}/`;
}
