import type { UserInfo } from "../../registry/attributes.ts";
import { tokenHash } from "./static-token.ts";

/** Users by the hash of their token, from lines of `token,user,uid,"group1,group2"`; the groups may be missing. Throws an Error naming the line that is none. */
export function parseTokenFile(text: string): ReadonlyMap<string, UserInfo> {
  const users = new Map<string, UserInfo>();
  for (const [index, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === "" || line.startsWith("#")) continue;
    const [token = "", name = "", uid = "", groups = ""] = fieldsOf(line);
    if (!token || !name) throw new Error(`line ${index + 1} must be: token,user,uid,"group1,group2"`);
    users.set(tokenHash(token), { name, ...(uid ? { uid } : {}), groups: groups.split(",").map((group) => group.trim()).filter(Boolean) });
  }
  return users;
}

/** Values separated by commas; those with commas in them are in double quotes. */
function fieldsOf(line: string): string[] {
  return [...line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)].map(([, quoted, plain]) => (quoted === undefined ? plain!.trim() : quoted.replaceAll('""', '"')));
}
