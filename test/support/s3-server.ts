import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { eventually } from "./eventually.ts";
import { startProgram } from "./running.ts";

export interface S3Server {
  /** Host and port. */
  endpoint: string;
  bucket: string;
  accessKey: string;
  secretKey: string;
  /** PEM, where it speaks TLS. */
  certificateFile?: string;
  /** Requests it has had: a line each. */
  requests(): string;
  dispose(): void;
}

/** The npm package s3rver, which is a server of S3's protocol on files, in a process of its own. It knows one access key; of signatures it checks the form. */
export async function startS3Server({ tls = false }: { tls?: boolean } = {}): Promise<S3Server> {
  const directory = mkdtempSync(join(tmpdir(), "skiff-s3-")), bucket = "backups";
  const certificateFile = join(directory, "cert.pem"), keyFile = join(directory, "key.pem");
  if (tls) {
    const made = Bun.spawnSync(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=s3", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", keyFile, "-out", certificateFile]);
    if (made.exitCode !== 0) throw new Error(made.stderr.toString());
  }
  const script = join(directory, "server.cjs");
  writeFileSync(script, `
    const S3rver = require(${JSON.stringify(join(import.meta.dir, "../../node_modules/s3rver"))}), { readFileSync } = require("node:fs");
    const tls = ${tls} ? { cert: readFileSync(${JSON.stringify(certificateFile)}), key: readFileSync(${JSON.stringify(keyFile)}) } : {};
    new S3rver({ port: 0, address: "127.0.0.1", directory: ${JSON.stringify(join(directory, "data"))}, vhostBuckets: false, configureBuckets: [{ name: ${JSON.stringify(bucket)} }], ...tls })
      .run().then(({ port }) => console.log("listening on port", port));
  `);
  const program = startProgram(["node", script]);
  const port = await eventually(() => /listening on port (\d+)/.exec(program.text())?.[1] ?? Promise.reject(new Error(`s3rver has not begun: ${program.text()}`)), { timeout: 60_000 });
  return {
    endpoint: `127.0.0.1:${port}`, bucket, accessKey: "S3RVER", secretKey: "S3RVER", ...(tls ? { certificateFile } : {}),
    requests: () => program.text(),
    dispose() {
      process.kill(program.pid, "SIGKILL");
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
