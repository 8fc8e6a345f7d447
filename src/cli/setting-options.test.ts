import { expect, test } from "bun:test";
import { Command } from "commander";
import { addSettingFlags, separateFlags } from "./setting-options.ts";

/** What a command with an argument and a flag of yes or no makes of a command line. */
function parsed(...argv: string[]): { flag: unknown; args: string[] } {
  const program = new Command("skiff"), command = program.command("restore").argument("[backup]").argument("[more]");
  addSettingFlags(command, [{ name: "insecure", type: "boolean", default: false, group: "Backup", description: "" }]);
  program.parse(separateFlags(program, ["restore", ...argv]), { from: "user" });
  return { flag: command.opts()["insecure"], args: command.args };
}

test.each([
  [["--insecure", "s3://bucket/a.tar"], true, ["s3://bucket/a.tar"]],
  [["s3://bucket/a.tar", "--insecure"], true, ["s3://bucket/a.tar"]],
  [["--insecure", "false", "a.tar"], false, ["a.tar"]],
  [["--insecure=false", "a.tar"], false, ["a.tar"]],
  [["--insecure", "--", "false"], true, ["false"]],
  [["--", "--insecure", "a.tar"], undefined, ["--insecure", "a.tar"]],
  [["a.tar"], undefined, ["a.tar"]],
])("%p", (argv, flag, args) => expect(parsed(...argv)).toEqual({ flag, args }));
