import { describe, expect, test } from "bun:test";
import { bool, duration, list, number, parseFlags, repeated, text } from "./flags.ts";

const flags = {
  allNamespaces: bool("", { short: "A" }), stdin: bool("", { short: "i" }), tty: bool("", { short: "t" }), wait: bool("", { default: true }), namespace: text("", { short: "n" }), output: text("", { short: "o" }),
  dryRun: text("", { default: "none", bare: "client" }), tail: number("", -1), timeout: duration("", 0), filename: list("", { short: "f" }), literal: repeated(""),
};
const read = (...argv: string[]) => parseFlags(flags, argv);

describe("flags", () => {
  for (const [argv, values] of [
    [[], { allNamespaces: false, wait: true, namespace: "", dryRun: "none", tail: -1, timeout: 0, filename: [] }],
    [["-A", "--wait=false"], { allNamespaces: true, wait: false }],
    [["-it"], { stdin: true, tty: true }],
    [["-itnother"], { stdin: true, tty: true, namespace: "other" }],
    [["-n", "kube-system", "-owide"], { namespace: "kube-system", output: "wide" }],
    [["-o=json"], { output: "json" }],
    [["--namespace", "a", "--output=jsonpath={.a=b}"], { namespace: "a", output: "jsonpath={.a=b}" }],
    [["--dry-run", "pods"], { dryRun: "client" }],
    [["--dry-run=server"], { dryRun: "server" }],
    [["--tail=5", "--timeout", "1m30s"], { tail: 5, timeout: 90_000 }],
    [["--timeout=10"], { timeout: 10_000 }],
    [["-f", "a,b", "-f", "-", "--literal=x=1,2"], { filename: ["a", "b", "-"], literal: ["x=1,2"] }],
  ] as [string[], object][]) test(argv.join(" ") || "none", () => expect(read(...argv).values).toMatchObject(values));

  test("arguments, and what stands behind --", () => {
    expect(read("exec", "pod", "-i", "--", "ls", "-A", "--", "-n")).toMatchObject({ args: ["exec", "pod", "ls", "-A", "--", "-n"], dash: 2, values: { allNamespaces: false, stdin: true } });
    expect(parseFlags(flags, ["-A", "get", "-n", "x"], { stopAtArgument: true })).toMatchObject({ args: ["get", "-n", "x"], dash: undefined });
    expect([...read("-n", "x").given]).toEqual(["namespace"]);
  });

  for (const [argv, message] of [
    [["--nope"], "unknown flag: --nope"], [["-ix"], "unknown shorthand flag: 'x' in -ix"], [["--namespace"], "flag needs an argument: --namespace"], [["-n"], "flag needs an argument: 'n' in -n"],
    [["--tail=x"], 'invalid argument "x" for "--tail" flag: strconv.ParseInt: parsing "x": invalid syntax'], [["-A=x"], 'invalid argument "x" for "-A, --all-namespaces" flag: strconv.ParseBool: parsing "x": invalid syntax'],
    [["--timeout=x"], 'invalid argument "x" for "--timeout" flag: time: invalid duration "x"'],
  ] as [string[], string][]) test(argv.join(" "), () => expect(() => read(...argv)).toThrow(message));
});
