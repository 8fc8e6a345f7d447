import { createHash } from "node:crypto";
import { existsSync, readFileSync, renameSync } from "node:fs";
import { isObject } from "../../../src/apimachinery/own.ts";
import type { ImagePullCredentialsVerificationPolicy } from "../../../src/apis/kubeletconfig/kubelet-settings.ts";
import { writeFileAtomic } from "../../../src/base/files.ts";
import type { Logger } from "../../../src/base/log.ts";
import type { AuthConfig } from "../../cri/generated/messages.ts";
import { parseImageName } from "./image-name.ts";

/** Credentials, and the secret that they are from. */
export interface Credential {
  auth: AuthConfig;
  /** `namespace/name/uid`. */
  secret: string;
}

/** Who has shown that they may have an image: everybody, or those with one of these credentials, or with one of these secrets, whatever is in it by now. */
interface Permission {
  everybody?: true;
  credentials: { secret: string; hash: string }[];
}

interface Content {
  /** By the id of the image, then by its name without tag. */
  images: Record<string, Record<string, Permission>>;
  /** Pulls that have begun: after a crash nobody knows whether the image was here before. */
  pulling: string[];
}

/** Of one image: more than a few secrets are rarely used for one, and a file must not grow without end. */
const mostCredentials = 50;

/**
 * Remembers with which credentials images were pulled, so that a pod may use an image that is here only when it could have pulled it itself.
 * Source: KEP-2535 (ensure secret pulled images). Secrets are kept as hashes alone.
 */
export class PullRecords {
  readonly #content: Content;
  constructor(private readonly file: string, private readonly policy: ImagePullCredentialsVerificationPolicy, log: Logger) {
    this.#content = read(file, log);
  }

  /** Whether whoever has these credentials may use an image that is here, without asking its registry. */
  mayUse(image: string, id: string, credentials: readonly Credential[]): boolean {
    if (this.policy === "NeverVerify") return true;
    const name = nameOf(image), permissions = this.#content.images[id];
    const wasPulled = permissions !== undefined || this.#content.pulling.some((pulling) => nameOf(pulling) === name);
    if (!wasPulled) return this.policy === "NeverVerifyPreloadedImages";
    const permission = permissions?.[name];
    if (!permission) return false;
    return permission.everybody === true || credentials.some(({ auth, secret }) => permission.credentials.some((known) => known.secret === secret || known.hash === hashOf(auth)));
  }

  begin(image: string): void {
    if (this.#content.pulling.includes(image)) return;
    this.#content.pulling.push(image);
    this.#save();
  }

  /** It was pulled with this credential; without one, everybody can. */
  succeeded(image: string, id: string, credential: Credential | undefined): void {
    const permissions = (this.#content.images[id] ??= {});
    const permission = (permissions[nameOf(image)] ??= { credentials: [] });
    if (!credential) permission.everybody = true;
    else permission.credentials = [{ secret: credential.secret, hash: hashOf(credential.auth) }, ...permission.credentials.filter(({ secret }) => secret !== credential.secret)].slice(0, mostCredentials);
    this.#end(image);
  }

  failed(image: string): void {
    this.#end(image);
  }

  /** Forgets images that are gone. */
  retain(ids: ReadonlySet<string>): void {
    const gone = Object.keys(this.#content.images).filter((id) => !ids.has(id));
    if (gone.length === 0) return;
    for (const id of gone) delete this.#content.images[id];
    this.#save();
  }

  #end(image: string): void {
    this.#content.pulling = this.#content.pulling.filter((each) => each !== image);
    this.#save();
  }

  #save(): void {
    writeFileAtomic(this.file, JSON.stringify(this.#content));
  }
}

function read(file: string, log: Logger): Content {
  if (!existsSync(file)) return { images: {}, pulling: [] };
  try {
    const { images, pulling } = JSON.parse(readFileSync(file, "utf8")) as Content;
    if (!isObject(images) || !Array.isArray(pulling)) throw new Error("it has no images or pulls");
    return { images, pulling };
  } catch (error) {
    log.warn("How images were pulled cannot be read, set aside: those that are here count as preloaded", { path: `${file}.corrupt`, error });
    renameSync(file, `${file}.corrupt`);
    return { images: {}, pulling: [] };
  }
}

function nameOf(image: string): string {
  const name = parseImageName(image);
  return name ? `${name.registry}/${name.repository}` : image;
}

const hashOf = ({ username, password, identityToken, registryToken, auth }: AuthConfig): string => createHash("sha256").update(JSON.stringify([username, password, identityToken, registryToken, auth])).digest("hex");
