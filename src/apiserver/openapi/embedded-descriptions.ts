import { noDescriptions, readDescriptions, type Descriptions } from "./descriptions.ts";

/** The texts built into the executable; none when the server runs from its sources without a build. */
export async function loadEmbeddedDescriptions(): Promise<Descriptions> {
  try {
    // A literal path, so that the bundler finds it; without a build the file is missing.
    const { default: path } = (await import("../../../dist/descriptions.gz" as string, { with: { type: "file" } })) as { default: string };
    return readDescriptions(await Bun.file(path).bytes());
  } catch {
    return noDescriptions;
  }
}
