import { lstatSync, readdirSync, statSync, type Stats } from "node:fs";
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
  /** Names of files whose objects stay as they are: a `.skip` file beside them says so, or they are there but can't be looked at now. */
  held: Set<string>;
  /** One sentence about each file that can't be taken. */
  refused: string[];
  /** Something can change without a change in the directory: what a symbolic link leads to. */
  unwatched: boolean;
}

const extension = /\.(ya?ml|json)$/;
const skipSuffix = ".skip";

/**
 * The manifests below a directory. Hidden files, those with other extensions and what is no regular file are passed over. `x.yaml.skip`
 * keeps `x.yaml` from being looked at, as in K3s. Of two files with the same name the one is taken that `before` has. Throws when the
 * directory can't be read.
 */
export function readManifestFiles(directory: string, before: ReadonlyMap<string, Pick<ManifestFile, "source">>): ManifestFiles {
  const found: ManifestFiles = { files: new Map(), held: new Set(), refused: [], unwatched: false };
  const sources = [...filesBelow(directory, "")].sort();
  const taken = (source: string): boolean => before.get(addonName(source))?.source === source;
  const skipped = new Set(sources.filter((source) => source.endsWith(skipSuffix)).map((source) => source.slice(0, -skipSuffix.length)));
  for (const source of skipped) found.held.add(addonName(source));
  for (const source of [...sources.filter(taken), ...sources.filter((source) => !taken(source))]) {
    if (!extension.test(source) || skipped.has(source)) continue;
    const name = addonName(source), path = join(directory, source), other = found.files.get(name);
    if (dns1123SubdomainErrors(name).length > 0) found.refused.push(`${source} is passed over: ${JSON.stringify(name)} can't name an object, rename the file to lower-case letters, digits, "-" and "."`);
    else if (other) found.refused.push(`${source} is passed over: ${other.source} has the same name but for the extension or a "-", rename one of them`);
    else {
      const link = lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false;
      found.unwatched ||= link;
      const stat = statOf(path);
      if (stat instanceof Error || (!stat && link)) {
        found.held.add(name);
        found.refused.push(`${source} can't be read, what it brought stays as it was: ${stat?.message ?? "its target does not exist"}`);
      } else if (stat?.isFile()) found.files.set(name, { name, path, source, stamp: `${stat.ino} ${stat.size} ${stat.mtimeMs}` });
    }
  }
  return found;
}

/** Undefined when there is no such file; the error when it can't be told, as of a circle of symbolic links. */
function statOf(path: string): Stats | Error | undefined {
  try {
    return statSync(path, { throwIfNoEntry: false });
  } catch (error) {
    return error as Error;
  }
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
