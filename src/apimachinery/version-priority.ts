/** `v2` before `v1` before `v1beta2` before `v1beta1`. Source: k8s.io/apimachinery/pkg/version CompareKubeAwareVersionStrings. */
export function compareKubeVersions(a: string, b: string): number {
  const left = rank(a), right = rank(b);
  return right[0] - left[0] || right[1] - left[1] || right[2] - left[2] || (a < b ? -1 : a > b ? 1 : 0);
}

function rank(version: string): [number, number, number] {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version);
  if (!match) return [-1, 0, 0];
  return [match[2] === undefined ? 2 : match[2] === "beta" ? 1 : 0, Number(match[1]), Number(match[3] ?? 0)];
}
