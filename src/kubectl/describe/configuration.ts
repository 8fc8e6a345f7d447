import type { ConfigMap, Secret } from "../../apis/generated/core/v1.ts";
import type { Description } from "./description.ts";

export function describeConfigMap(text: Description, { metadata = {}, data = {}, binaryData = {} }: ConfigMap): void {
  text.line(0, `Name:\t${metadata.name}`).line(0, `Namespace:\t${metadata.namespace}`).labels("Labels", metadata.labels).annotations(metadata.annotations);
  text.line(0, "").line(0, "Data").line(0, "====");
  for (const [key, value] of Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1))) text.line(0, `${key}:`).line(0, "----").line(0, value).line(0, "");
  text.line(0, "").line(0, "BinaryData").line(0, "====");
  for (const [key, value] of Object.entries(binaryData).sort(([a], [b]) => (a < b ? -1 : 1))) text.line(0, `${key}: ${Buffer.byteLength(value, "base64")} bytes`);
  text.line(0, "");
}

/** Without the values. */
export function describeSecret(text: Description, { metadata = {}, type, data = {} }: Secret): void {
  text.line(0, `Name:\t${metadata.name}`).line(0, `Namespace:\t${metadata.namespace}`).labels("Labels", metadata.labels).annotations(metadata.annotations);
  text.line(0, "").line(0, `Type:\t${type ?? ""}`).line(0, "").line(0, "Data").line(0, "====");
  for (const [key, value] of Object.entries(data).sort(([a], [b]) => (a < b ? -1 : 1))) text.line(0, `${key}:\t${Buffer.byteLength(value, "base64")} bytes`);
}
