// Compiles the executables into dist/: `bun src/build/build.ts` makes all four, `--host` only the one for this machine, names only those: `bun src/build/build.ts skiff-linux-arm64`.
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { hostTarget } from "./host-target.ts";
import packageJson from "../../package.json" with { type: "json" };

const root = join(import.meta.dir, "../..");
const targets: Record<string, string> = {
  "skiff-linux-x64": "bun-linux-x64", "skiff-linux-arm64": "bun-linux-arm64",
  "skiff-linux-x64-musl": "bun-linux-x64-musl", "skiff-linux-arm64-musl": "bun-linux-arm64-musl",
};
/** Worker files are bundles of their own. */
const entrypoints = ["src/main.ts", "src/storage/sqlite/writer-worker.ts", "src/storage/sqlite/checkpoint-worker.ts"];

const names = process.argv.slice(2).map((argument) => (argument === "--host" ? hostTarget : argument));
const unknown = names.find((name) => !targets[name]);
if (unknown !== undefined) throw new Error(`there is no executable called ${unknown}: choose from ${Object.keys(targets).join(", ")}`);
const wanted = names.length > 0 ? [...new Set(names)] : Object.keys(targets);

async function run(command: string[], what: string): Promise<string> {
  const child = Bun.spawn(command, { cwd: root, stdout: "pipe", stderr: "pipe" });
  const [output, problems] = await Promise.all([new Response(child.stdout).text(), new Response(child.stderr).text()]);
  if (await child.exited !== 0) throw new Error(`${what} failed:\n${problems || output}`);
  return output.trim();
}

const commit = await run(["git", "rev-parse", "HEAD"], "git rev-parse").catch(() => "");
const build = { version: packageJson.version, commit, builtAt: Date.now() };
mkdirSync(join(root, "dist"), { recursive: true });
await run([process.execPath, "src/build/descriptions.ts"], "collecting the field descriptions");

for (const name of wanted) {
  const outfile = join("dist", name);
  await run([
    process.execPath, "build", "--compile", "--minify", "--bytecode", "--splitting", "--format=esm", `--target=${targets[name]}`, "--compile-exec-argv=--smol",
    "--no-compile-autoload-bunfig", "--no-compile-autoload-dotenv", "--define", `SKIFF_BUILD=${JSON.stringify(build)}`, "--outfile", outfile, ...entrypoints,
  ], `building ${name}`);
  const megabytes = (Bun.file(join(root, outfile)).size / 1e6).toFixed(1);
  process.stdout.write(`${outfile}  ${megabytes} MB\n`);
}

// What install.sh checks a download against.
const present = Object.keys(targets).filter((name) => existsSync(join(root, "dist", name)));
const sums = await Promise.all(present.map(async (name) => `${new Bun.CryptoHasher("sha256").update(await Bun.file(join(root, "dist", name)).bytes()).digest("hex")}  ${name}\n`));
await Bun.write(join(root, "dist/sha256sums.txt"), sums.join(""));
