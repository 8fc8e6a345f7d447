// `bun sqlite-writer.fixture.ts <file> <journal mode> <synchronous>`: commits numbers, each told once it is durable, until the disk fails it.
import { Database } from "bun:sqlite";

const [path, mode, synchronous] = process.argv.slice(2);
const db = new Database(path!, { create: true, readwrite: true });
db.exec(`PRAGMA journal_mode = ${mode}; PRAGMA synchronous = ${synchronous}; PRAGMA wal_autocheckpoint = 20; CREATE TABLE IF NOT EXISTS numbers (n INTEGER PRIMARY KEY, filler TEXT)`);
for (let n = (db.query("SELECT coalesce(max(n), 0) AS n FROM numbers").get() as { n: number }).n + 1; ; n++) {
  db.run("INSERT INTO numbers VALUES (?, ?)", [n, "x".repeat((n * 371) % 3000)]);
  process.stdout.write(`${n}\n`);
}
