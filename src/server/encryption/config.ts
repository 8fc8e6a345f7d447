import { randomBytes } from "node:crypto";
import { isObject } from "../../apimachinery/own.ts";
import { badRequest } from "../../apimachinery/status.ts";
import type { SealingKey } from "../../storage/sealed/envelope.ts";
import type { KeyringState } from "../../storage/sealed/keyring.ts";

/** What servers know of encryption at rest. Whoever has this and the database can read both. */
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

export const encryptionActions = ["enable", "disable", "rotate-keys"] as const;
export type EncryptionAction = (typeof encryptionActions)[number];

/** What is to hold after an action; the very same when that is so already. Throws a BadRequest for what makes no sense now. */
export function planAction(config: EncryptionConfig, action: EncryptionAction, now: number): EncryptionConfig {
  const { enabled, keys } = config;
  if (action === "rotate-keys" && !enabled) throw badRequest("there is no key to rotate while encryption is disabled: run \"skiff secrets-encrypt enable\" first");
  if (action === "rotate-keys") return { ...config, pending: true, keys: [newEncryptionKey(now), ...keys] };
  if (enabled === (action === "enable")) return config;
  return { ...config, enabled: !enabled, pending: true, keys: keys.length > 0 ? keys : [newEncryptionKey(now)] };
}

export interface EncryptionOptions {
  /** Turns encryption on, and never off: that is for the running server to be told. */
  enable: boolean;
  resources: string[];
}

/** What is to hold from a start on: what did, and what the options add; the very same when that is nothing. */
export function planStart(config: EncryptionConfig, { enable, resources }: EncryptionOptions, now: number): EncryptionConfig {
  const enabled = config.enabled || enable;
  const others = enabled && resources.toSorted().join() !== config.resources.toSorted().join();
  if (enabled === config.enabled && !others) return config;
  return { enabled, resources, keys: config.keys.length > 0 ? config.keys : [newEncryptionKey(now)], pending: true };
}

export const formatConfig = ({ keys, ...rest }: EncryptionConfig): string =>
  `${JSON.stringify({ ...rest, keys: keys.map(({ name, created, secret }) => ({ name, created, secret: Buffer.from(secret).toString("base64") })) }, null, 2)}\n`;

/** Throws what is wrong with it. */
export function parseConfig(text: string): EncryptionConfig {
  const content: unknown = JSON.parse(text);
  if (!isObject(content) || typeof content["enabled"] !== "boolean" || !Array.isArray(content["resources"]) || !Array.isArray(content["keys"])) throw new Error("fields are missing");
  const keys = content["keys"].map(parseKey);
  if (content["enabled"] && keys.length === 0) throw new Error("it has no key");
  return { enabled: content["enabled"], resources: content["resources"].map(String), keys, pending: content["pending"] !== false };
}

function parseKey(value: unknown): EncryptionKey {
  if (!isObject(value) || typeof value["name"] !== "string" || typeof value["secret"] !== "string") throw new Error("a key has no name or no secret");
  const secret = new Uint8Array(Buffer.from(value["secret"], "base64"));
  if (secret.length !== 32) throw new Error(`the key ${value["name"]} is not 32 bytes long`);
  return { name: value["name"], secret, created: String(value["created"] ?? "") };
}

function newEncryptionKey(now: number): EncryptionKey {
  const created = new Date(now).toISOString().replace(/\.\d+/, "");
  return { name: `aes-${created.slice(0, 10)}-${randomBytes(4).toString("hex")}`, secret: new Uint8Array(randomBytes(32)), created };
}

export const keyringOf = ({ enabled, keys, resources }: EncryptionConfig): KeyringState => ({ enabled, keys, prefixes: resources.map(prefixOfResource) });

/** Where its objects are stored. */
export function prefixOfResource(name: string): string {
  const dot = name.indexOf(".");
  return `/registry/${dot < 0 ? "core" : name.slice(dot + 1)}/${dot < 0 ? name : name.slice(0, dot)}/`;
}

/** Where the config is kept: in a file, or together with other servers. */
export interface ConfigStore {
  readonly current: EncryptionConfig;
  /** Which state of what servers share `current` is; undefined where there are no others. */
  readonly revision?: number;
  /** What is written from when it resolves on follows `config`, which is durable; resolves with false, and nothing done, when `current` isn't `before` any more. */
  replace(before: EncryptionConfig, config: EncryptionConfig): Promise<boolean>;
  /** Calls `listener` after each change, whoever has made it. */
  onChange(listener: () => void): void;
}
