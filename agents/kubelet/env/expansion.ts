/**
 * Replaces `$(NAME)` where `lookup` knows the name; `$$` escapes, and unknown references stay as they are.
 * Source: k8s.io/kubernetes/third_party/forked/golang/expansion.
 */
export function expand(text: string, lookup: (name: string) => string | undefined): string {
  if (!text.includes("$")) return text;
  let result = "";
  for (let at = 0; at < text.length; at++) {
    if (text[at] !== "$" || at + 1 >= text.length) {
      result += text[at];
      continue;
    }
    const next = text[at + 1];
    if (next === "$") {
      result += "$";
      at++;
    } else if (next === "(") {
      const end = text.indexOf(")", at + 2);
      if (end < 0) return result + text.slice(at);
      const name = text.slice(at + 2, end);
      result += lookup(name) ?? `$(${name})`;
      at = end;
    } else {
      result += `$${next}`;
      at++;
    }
  }
  return result;
}
