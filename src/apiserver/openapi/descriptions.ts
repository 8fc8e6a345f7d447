import type { JsonObject } from "../../apimachinery/own.ts";

/** What `kubectl explain` says about a type (under the empty name) and its fields. */
export type TypeDescriptions = Readonly<Record<string, string>>;

/** Looks a schema type up; undefined when nothing is said about it. */
export type DescriptionLookup = (typeName: string) => TypeDescriptions | undefined;

/** Holds the texts compressed; `open` is for the time it takes to write a document. */
export interface Descriptions {
  /** Changes when the texts do. */
  readonly fingerprint: string;
  open(): DescriptionLookup;
}

export const noDescriptions: Descriptions = { fingerprint: "", open: () => () => undefined };

/** Reads what `src/build/descriptions.ts` writes: gzipped lines of a type's name, a tab and its texts as a JSON object. */
export function readDescriptions(gzipped: Uint8Array<ArrayBuffer>): Descriptions {
  return {
    fingerprint: Bun.hash(gzipped).toString(16),
    open: () => {
      const lines = new Map<string, string>();
      for (const line of new TextDecoder().decode(Bun.gunzipSync(gzipped)).split("\n")) {
        const tab = line.indexOf("\t");
        if (tab > 0) lines.set(line.slice(0, tab), line.slice(tab + 1));
      }
      return (typeName) => {
        const line = lines.get(typeName);
        return line === undefined ? undefined : (JSON.parse(line) as JsonObject as TypeDescriptions);
      };
    },
  };
}
