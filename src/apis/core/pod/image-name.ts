/** The tag of an image reference, `latest` when it has neither tag nor digest: what decides the default pull policy. */
export function imageTag(image: string): string {
  const [reference = "", digest] = image.split("@", 2);
  const colon = reference.indexOf(":", reference.lastIndexOf("/") + 1);
  if (colon >= 0) return reference.slice(colon + 1);
  return digest === undefined ? "latest" : "";
}
