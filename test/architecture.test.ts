import { describe, expect, test } from "bun:test";
import { Glob } from "bun";
import { dirname, join } from "node:path";

const root = join(import.meta.dir, "..");

/**
 * What each part may import of ours, besides itself; imports of types count too. Longer paths win over shorter ones.
 * Imports go down only: a part that needs something from above gets it passed in.
 */
const mayImport: Record<string, readonly string[]> = {
  "src/base": [],
  // Generated interfaces are facts about the wire, below everything that is written by hand.
  "src/apis/generated": [],
  "src/apimachinery": ["src/base", "src/apis/generated"],
  // The Common Expression Language: knows schemas and quantities, no kinds.
  "src/cel": ["src/base", "src/apimachinery"],
  "src/apis": ["src/base", "src/apimachinery", "src/cel"],
  "src/client": ["src/base", "src/apimachinery", "src/apis"],
  "src/controllers": ["src/base", "src/apimachinery", "src/cel", "src/apis", "src/client"],
  "src/scheduler": ["src/base", "src/apimachinery", "src/apis", "src/client"],
  "src/storage": ["src/base", "src/apimachinery"],
  "src/registry": ["src/base", "src/apimachinery", "src/cel", "src/apis", "src/client", "src/storage"],
  "src/apiserver": ["src/base", "src/apimachinery", "src/apis", "src/client", "src/registry"],
  // Serves custom resources: makes cards for the registry, which knows nothing of it.
  "src/apiextensions": ["src/base", "src/apimachinery", "src/apis", "src/client", "src/cel"],
  // A client of any API server: knows none of ours.
  "src/kubectl": ["src/base", "src/apimachinery", "src/apis/generated"],
  "src/server": ["src", "agents/agent.ts", "agents/ingress"],
  // `skiff agent`: a node in a process of its own. Takes what a server's node has around it, and nothing of the control plane.
  "src/agent": ["src/base", "src/apimachinery", "src/apis", "src/client", "src/registry/attributes.ts", "src/apiserver/authentication", "src/apiserver/front", "src/server", "agents/agent.ts", "agents/join", "agents/node-store", "agents/tunnel"],
  "src/cli": ["src/base", "src/client", "src/apimachinery", "src/apis", "src/kubectl", "src/server", "src/agent", "agents/agent.ts", "agents/join", "agents/hollow"],
  "src/main.ts": ["src/cli"],
  "src/build": ["src/apimachinery", "package.json"],
  // Drivers: the world outside, without Kubernetes.
  "agents/nftables-js": [],
  "agents/netlink": ["src/base"],
  "agents/cri": ["src/base"],
  "agents/containerd": ["src/base", "agents/cri"],
  // Implements what the client's informers keep themselves in.
  "agents/node-store": ["src/base", "src/apimachinery", "src/apis", "src/client"],
  // Components of a node: each stands on the client and on drivers, none on another.
  "agents/kubelet": ["src/base", "src/apimachinery", "src/apis", "src/client", "agents/cri"],
  "agents/proxy": ["src/base", "src/apimachinery", "src/apis", "src/client", "nftables-js"],
  "agents/netpol": ["src/base", "src/apimachinery", "src/apis", "src/client", "nftables-js"],
  "agents/network": ["src/base", "src/apimachinery", "src/apis", "src/client", "agents/netlink"],
  "agents/join": ["src/base"],
  "agents/tunnel": ["src/base", "src/client"],
  "agents/ingress": ["src/base", "src/apimachinery", "src/apis", "src/client"],
  "agents/dns": ["src/base", "src/apimachinery", "src/apis", "src/client", "agents/netlink"],
  // What a kubelet tells the other parts of its node.
  "agents/local-pods": ["src/apimachinery", "src/apis", "src/client"],
  // Plays nodes without a runtime by the kubelet's own rules, so that the two can't drift apart.
  "agents/hollow": ["src/base", "src/apimachinery", "src/apis", "src/client", "agents/kubelet"],
  "agents/agent.ts": ["agents", "nftables-js", "src/base", "src/apimachinery", "src/apis", "src/client"],
};

/** Tests, and what lies in a `testing/` folder for them, may use these besides. */
const testsMayImport = ["test/support", "test/contract"];

/** Longer than `maxLines`, and why. */
const longFiles: Record<string, string> = {
  "src/apis/generated/core/v1.ts": "generated: all interfaces of core/v1",
  "agents/cri/generated/messages.ts": "generated: all messages of the CRI",
};
const maxLines = 400;
const maxTestLines = 2 * maxLines;

interface Import { from: string; to: string }

const isTest = (file: string): boolean => file.endsWith(".test.ts") || file.includes("/testing/") || file.startsWith("test/");
const sources = ["src/**/*.ts", "agents/**/*.ts", "test/**/*.ts"].flatMap((pattern) => [...new Glob(pattern).scanSync(root)]).filter((file) => !file.includes("node_modules")).sort();
const texts = new Map(await Promise.all(sources.map(async (file) => [file, await Bun.file(join(root, file)).text()] as const)));
const inside = (file: string, part: string): boolean => file === part || file.startsWith(`${part}/`);
const partOf = (file: string): string | undefined => Object.keys(mayImport).filter((part) => inside(file, part)).toSorted((a, b) => b.length - a.length)[0];

/** Every import of ours in the text: relative ones as paths from the root, the workspace's package by its name. */
function importsOf(from: string, text: string): Import[] {
  const statements = text.matchAll(/^\s*(?:import|export)\b[^;"']*?\bfrom\s*["']([^"']+)["']|^\s*import\s*["']([^"']+)["']|\bimport\(\s*["']([^"']+)["']\s*\)/gm);
  return [...statements].map((match) => (match[1] ?? match[2] ?? match[3])!)
    .filter((specifier) => specifier.startsWith(".") || /^nftables-js(\/|$)/.test(specifier))
    .map((specifier) => ({ from, to: specifier.startsWith(".") ? join(dirname(from), specifier) : "nftables-js" }));
}

const imports = sources.filter((file) => !file.startsWith("test/")).flatMap((file) => importsOf(file, texts.get(file)!));

function allowed({ from, to }: Import): boolean {
  const part = partOf(from)!;
  return inside(to, part) || mayImport[part]!.some((other) => inside(to, other)) || (isTest(from) && testsMayImport.some((other) => inside(to, other)));
}

const shown = ({ from, to }: Import): string => `${from} imports ${to}`;

describe("imports", () => {
  test("are found", () => {
    expect(importsOf("src/a/b.ts", `import { c } from "../d/c.ts";\nimport type {\n  E,\n} from "./e.ts";\nimport "./f.ts";\nexport * from "nftables-js";\nconst g = await import("../g.ts");`).map(({ to }) => to))
      .toEqual(["src/d/c.ts", "src/a/e.ts", "src/a/f.ts", "nftables-js", "src/g.ts"]);
    expect(imports.length).toBeGreaterThan(1000);
  });

  test("every file belongs to a part", () => {
    expect(sources.filter((file) => !file.startsWith("test/") && !partOf(file))).toEqual([]);
  });

  test("go down only", () => {
    expect(imports.filter((one) => !allowed(one)).map(shown)).toEqual([]);
  });

  test("controllers do not import each other", () => {
    const folder = (file: string): string | undefined => /^src\/controllers\/([^/]+)\//.exec(file)?.[1];
    // A table test may hold two plans side by side, as that of Endpoints and EndpointSlices does.
    expect(imports.filter(({ from, to }) => !isTest(from) && folder(from) && folder(to) && folder(from) !== folder(to)).map(shown)).toEqual([]);
  });

  test("only the registry writes: the store is opened by the server alone", () => {
    const opens = (to: string): boolean => inside(to, "src/storage/sqlite") || inside(to, "src/storage/etcd") || inside(to, "src/storage/memory");
    const outside = imports.filter(({ from, to }) => opens(to) && !inside(from, "src/storage") && !inside(from, "src/server") && !isTest(from));
    expect(outside.map(shown)).toEqual([]);
  });

  test("do not go from the product to its tests", () => {
    expect(imports.filter(({ from, to }) => !isTest(from) && (inside(to, "test") || isTest(to))).map(shown)).toEqual([]);
  });
});

describe("files", () => {
  test("say what they hold", () => {
    expect(sources.filter((file) => /\/(utils?|helpers?|common|types|misc)(\.test)?\.ts$/.test(file))).toEqual([]);
  });

  test("stay short", () => {
    const tooLong = sources.map((file) => ({ file, lines: texts.get(file)!.split("\n").length - 1 }))
      .filter(({ file, lines }) => lines > (isTest(file) ? maxTestLines : maxLines) && !longFiles[file]);
    expect(tooLong).toEqual([]);
  });

  test("are really longer where they are excepted", () => {
    expect(Object.keys(longFiles).filter((file) => !sources.includes(file) || texts.get(file)!.split("\n").length - 1 <= maxLines)).toEqual([]);
  });
});
