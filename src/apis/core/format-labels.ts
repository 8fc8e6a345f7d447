/** `a=1,b=2` in order of name, as columns show a set of labels. */
export const formatLabels = (labels: Readonly<Record<string, string>> | undefined): string =>
  Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`).toSorted().join(",") || "<none>";
