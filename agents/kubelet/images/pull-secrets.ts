import type { Frozen } from "../../../src/apimachinery/meta.ts";
import type { Secret } from "../../../src/apis/generated/core/v1.ts";
import type { AuthConfig } from "../../cri/generated/messages.ts";
import type { Credential } from "./pull-records.ts";
import { parseImageName } from "./image-name.ts";

interface DockerAuth {
  username?: string;
  password?: string;
  auth?: string;
  identitytoken?: string;
  registrytoken?: string;
}

/**
 * The credentials in `secrets` that fit the image's registry, the longest matching path first.
 * Reads kubernetes.io/dockerconfigjson and kubernetes.io/dockercfg. Source: k8s.io/kubernetes/pkg/credentialprovider.
 */
export function credentialsFor(image: string, secrets: readonly Frozen<Secret>[]): Credential[] {
  const name = parseImageName(image);
  if (!name) return [];
  const target = `${name.registry}/${name.repository}`;
  const matches: { key: string; credential: Credential }[] = [];
  for (const secret of secrets) {
    const { namespace, name: secretName, uid } = secret.metadata;
    for (const [key, entry] of Object.entries(entriesOf(secret))) if (fits(bareKey(key), target)) matches.push({ key: bareKey(key), credential: { auth: toAuth(entry), secret: `${namespace}/${secretName}/${uid}` } });
  }
  return matches.sort((a, b) => b.key.length - a.key.length).map(({ credential }) => credential);
}

function entriesOf({ data = {} }: Frozen<Secret>): Record<string, DockerAuth> {
  const decode = (base64: string): unknown => JSON.parse(Buffer.from(base64, "base64").toString());
  try {
    if (data[".dockerconfigjson"]) return (decode(data[".dockerconfigjson"]) as { auths?: Record<string, DockerAuth> }).auths ?? {};
    if (data[".dockercfg"]) return decode(data[".dockercfg"]) as Record<string, DockerAuth>;
  } catch {
    // A secret that isn't what its type says has no credentials for us; the pull tells the user.
  }
  return {};
}

/** Keys may be written as the URL of a registry's API. */
const bareKey = (key: string): string => key.replace(/^https?:\/\//, "").replace(/\/(v1|v2)\/?$/, "").replace(/\/$/, "").replace(/^index\.docker\.io/, "docker.io");

/** `*` stands for one label of the host, as in `*.example.com`. */
function fits(key: string, target: string): boolean {
  const [host = "", ...path] = key.split("/");
  const [targetHost = "", ...targetPath] = target.split("/");
  const hostPattern = new RegExp(`^${host.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join("[^.]+")}$`);
  return hostPattern.test(targetHost) && path.every((element, index) => targetPath[index] === element);
}

/** Without a server address: the runtime would take a name without a scheme for another server, and leave the credentials out. */
function toAuth({ username, password, auth, identitytoken, registrytoken }: DockerAuth): AuthConfig {
  const decoded = auth ? Buffer.from(auth, "base64").toString() : "";
  const colon = decoded.indexOf(":");
  return {
    username: username ?? (colon < 0 ? "" : decoded.slice(0, colon)), password: password ?? (colon < 0 ? "" : decoded.slice(colon + 1)),
    identityToken: identitytoken ?? "", registryToken: registrytoken ?? "",
  };
}
