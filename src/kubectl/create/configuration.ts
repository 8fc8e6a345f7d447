import { isUtf8 } from "node:buffer";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { KubectlError } from "../errors.ts";
import { list, repeated, text } from "../flags.ts";
import { defineGenerator } from "./generator.ts";

const sources = {
  fromFile: repeated("Key files can be specified using their file path, or as key=path."),
  fromLiteral: repeated("Specify a key and literal value (i.e. mykey=somevalue)"),
  fromEnvFile: list("Specify the path to a file to read lines of key=val pairs."),
} as const;

interface Sources { fromFile: string[]; fromLiteral: string[]; fromEnvFile: string[] }

/** Keys and values of all sources; a key that comes twice is a mistake. */
function read({ fromFile, fromLiteral, fromEnvFile }: Sources, what: string): [string, Buffer][] {
  const found = new Map<string, Buffer>();
  const add = (key: string, value: Buffer): void => {
    if (!/^[-._a-zA-Z0-9]+$/.test(key)) throw new KubectlError(`${JSON.stringify(key)} is not a valid key name for a ${what}: a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`);
    if (found.has(key)) throw new KubectlError(`cannot add key ${JSON.stringify(key)}, another key by that name already exists in Data for ${what} ""`);
    found.set(key, value);
  };
  for (const source of fromFile) {
    const [key, path] = source.includes("=") ? [source.slice(0, source.indexOf("=")), source.slice(source.indexOf("=") + 1)] : [undefined, source];
    const stat = statSync(path, { throwIfNoEntry: false });
    if (!stat) throw new KubectlError(`error reading ${path}: no such file or directory`);
    if (!stat.isDirectory()) add(key ?? basename(path), readFileSync(path));
    else for (const entry of readdirSync(path, { withFileTypes: true })) if (entry.isFile()) add(entry.name, readFileSync(join(path, entry.name)));
  }
  for (const literal of fromLiteral) {
    const equals = literal.indexOf("=");
    if (equals < 1) throw new KubectlError(`invalid literal source ${literal}, expected key=value`);
    add(literal.slice(0, equals), Buffer.from(literal.slice(equals + 1)));
  }
  for (const file of fromEnvFile) {
    for (const line of readFileSync(file, "utf8").split("\n").map((each) => each.trim())) {
      if (!line || line.startsWith("#")) continue;
      const equals = line.indexOf("=");
      add(equals < 0 ? line : line.slice(0, equals), Buffer.from(equals < 0 ? process.env[line] ?? "" : line.slice(equals + 1)));
    }
  }
  return [...found];
}

const base64 = (entries: [string, Buffer][]): Record<string, string> => Object.fromEntries(entries.map(([key, value]) => [key, value.toString("base64")]));
const filled = <T extends object>(field: string, value: T): object => (Object.keys(value).length ? { [field]: value } : {});

export const configmap = defineGenerator({
  name: "configmap", aliases: ["cm"], usage: "configmap NAME [--from-file=[key=]source] [--from-literal=key1=value1] [flags]", summary: "Create a config map from a local file, directory or literal value", flags: sources, failure: "failed to create configmap: ",
  make({ name, flags }) {
    const entries = read(flags, "ConfigMap");
    const data = Object.fromEntries(entries.filter(([, value]) => isUtf8(value)).map(([key, value]) => [key, value.toString()]));
    return { apiVersion: "v1", kind: "ConfigMap", metadata: { name }, ...filled("data", data), ...filled("binaryData", base64(entries.filter(([, value]) => !isUtf8(value)))) };
  },
});

export const genericSecret = defineGenerator({
  name: "generic", usage: "generic NAME [--type=string] [--from-file=[key=]source] [--from-literal=key1=value1] [flags]", summary: "Create a secret from a local file, directory, or literal value", flags: { ...sources, type: text("The type of secret to create") }, failure: "failed to create secret ",
  make: ({ name, flags }) => ({ apiVersion: "v1", kind: "Secret", metadata: { name }, ...(flags.type ? { type: flags.type } : {}), ...filled("data", base64(read(flags, "Secret"))) }),
});

export const tlsSecret = defineGenerator({
  name: "tls", usage: "tls NAME --cert=path/to/cert/file --key=path/to/key/file [flags]", summary: "Create a TLS secret", flags: { cert: text("Path to PEM encoded public key certificate."), key: text("Path to private key associated with given certificate.") }, failure: "failed to create secret ",
  make({ name, flags }) {
    if (!flags.key || !flags.cert) throw new KubectlError("key and cert must be specified");
    const data = base64([["tls.crt", readFileSync(flags.cert)], ["tls.key", readFileSync(flags.key)]]);
    return { apiVersion: "v1", kind: "Secret", metadata: { name }, type: "kubernetes.io/tls", data };
  },
});

export const dockerSecret = defineGenerator({
  name: "docker-registry", usage: "docker-registry NAME --docker-username=user --docker-password=password [--docker-server=string] [flags]", summary: "Create a secret for use with a Docker registry", failure: "failed to create secret ",
  flags: {
    dockerUsername: text("Username for Docker registry authentication"), dockerPassword: text("Password for Docker registry authentication"), dockerEmail: text("Email for Docker registry"),
    dockerServer: text("Server location for Docker registry", { default: "https://index.docker.io/v1/" }),
  },
  make({ name, flags: { dockerUsername: username, dockerPassword: password, dockerEmail: email, dockerServer } }) {
    if (!username || !password) throw new KubectlError("either --from-file or the combination of --docker-username, --docker-password and --docker-server is required");
    const entry = { username, password, ...(email ? { email } : {}), auth: Buffer.from(`${username}:${password}`).toString("base64") };
    return { apiVersion: "v1", kind: "Secret", metadata: { name }, type: "kubernetes.io/dockerconfigjson", data: base64([[".dockerconfigjson", Buffer.from(JSON.stringify({ auths: { [dockerServer]: entry } }))]]) };
  },
});
