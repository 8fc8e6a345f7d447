/** The thread that takes the log into the file while the writer goes on: however long the disk takes over that, no write waits for it. */
import type { Database } from "bun:sqlite";
import { connect } from "./connection.ts";
import { ownThread } from "./file-figures.ts";
import { emptyLog, lastWords, type Logged, tellLogged, UnsyncedFile } from "./log-to-file.ts";
import { Occupancy } from "./occupancy.ts";
import type { CheckpointRequest, CheckpointTells } from "./protocol.ts";

declare const self: Worker;

let path = "";
let db: Database;
let occupancy: Occupancy;

function answer(request: CheckpointRequest): CheckpointTells {
  switch (request.type) {
    case "open":
      path = request.path;
      db = connect(path);
      occupancy = new Occupancy(request.occupancy);
      return { thread: ownThread() };
    case "checkpoint": {
      emptyLog(db, path, "PASSIVE");
      occupancy.end();
      using statement = db.prepare(tellLogged);
      return { logged: statement.get() as Logged };
    }
    case "close":
      db.close();
      return {};
  }
}

self.onmessage = ({ data }: MessageEvent<CheckpointRequest>) => {
  try {
    self.postMessage({ ok: true, ...answer(data) });
  } catch (error) {
    if (!(error instanceof UnsyncedFile)) return self.postMessage({ ok: false, code: "io", message: String(error) });
    // The writer, too, is to leave the file alone from now on: it stays occupied.
    self.onmessage = null;
    self.postMessage(lastWords(error));
  }
};
