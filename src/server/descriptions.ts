import { existsSync } from "node:fs";
import { join } from "node:path";
import { noDescriptions, readDescriptions, type Descriptions } from "../apiserver/openapi/descriptions.ts";

const fileName = "descriptions.gz";

/** The texts of `kubectl explain`: embedded in the executable; from source what the last build left in dist, if anything. */
export async function openApiDescriptions(): Promise<Descriptions> {
  const embedded = Bun.embeddedFiles.find((file) => (file as File).name.endsWith(fileName));
  if (embedded) return readDescriptions(new Uint8Array(await embedded.arrayBuffer()));
  const built = join(import.meta.dir, "../../dist", fileName);
  return existsSync(built) ? readDescriptions(new Uint8Array(await Bun.file(built).arrayBuffer())) : noDescriptions;
}
