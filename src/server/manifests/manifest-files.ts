import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { dns1123SubdomainErrors } from "../../apimachinery/validation/names.ts";

/** A file of the manifests directory. */
export interface ManifestFile {
  /** Of its AddOn: the path in the directory without extension, with `-` for `/`. */
  name: string;
  path: string;
  /** Relative to the directory. */
  source: string;
  /** Tells when it has changed. */
  stamp: string;
}

export interface ManifestFiles {
  files: Map<string, ManifestFile>;
  /** Names of files that a `.skip` file beside them says to leave alone. */
  skipped: ReadonlySet<string>;
  /** One sentence about each file that can't be taken. */
  refused: string[];
}

const extension = /\.(ya?ml|json)$/;
const skipSuffix = ".skip";

/**
 * The manifests below a directory. Hidden files, those with other extensions and what is no regular file are passed over. `x.yaml.skip`
 * keeps `x.yaml` from being looked at, as in K3s. Throws when the directory can't be read.
 */
export function readManifestFiles(directory: string): ManifestFiles {
  const found: ManifestFiles = { files: new Map(), skipped: new Set(), refused: [] };
  const sources = [...filesBelow(directory, "")].sort();
  const skipped = new Set(sources.filter((source) => source.endsWith(skipSuffix)).map((source) => source.slice(0, -skipSuffix.length)));
  found.skipped = new Set([...skipped].map(addonName));
  for (const source of sources) {
    if (!extension.test(source) || skipped.has(source)) continue;
    const name = addonName(source), path = join(directory, source), other = found.files.get(name);
    if (dns1123SubdomainErrors(name).length > 0) found.refused.push(`${source} is passed over: ${JSON.stringify(name)} can't name an object, rename the file to lower-case letters, digits, "-" and "."`);
    else if (other) found.refused.push(`${source} is passed over: ${other.source} has the same name but for the extension or a "-", rename one of them`);
    else {
      const stat = statSync(path, { throwIfNoEntry: false });
      if (stat?.isFile()) found.files.set(name, { name, path, source, stamp: `${stat.ino} ${stat.size} ${stat.mtimeMs}` });
    }
  }
  return found;
}

const addonName = (source: string): string => source.replace(extension, "").replaceAll("/", "-");

function* filesBelow(directory: string, prefix: string): Iterable<string> {
  for (const entry of readdirSync(join(directory, prefix), { withFileTypes: true })) {
    if (entry.name.startsWith(".")) continue;
    const source = prefix ? `${prefix}/${entry.name}` : entry.name;
    if (entry.isDirectory()) yield* filesBelow(directory, source);
    else yield source;
  }
}
