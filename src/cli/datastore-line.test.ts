import { expect, test } from "bun:test";
import { datastoreLine } from "./datastore-line.ts";

const metrics = (more: string): string => `go_x 1\nskiff_datastore_info{engine="sqlite",version="3.50.0"} 1\netcd_mvcc_db_total_size_in_bytes 12345678\n${more}`;

test.each([
  ["what is known", metrics("etcd_server_quota_backend_bytes 2147483648\nskiff_datastore_written_bytes_total 340000\nskiff_datastore_open_seconds 4800\n"), "Datastore    sqlite 3.50.0  12 MB of 2147 MB  0.3 MB written in 80m, 6.1 MB a day at this rate"],
  ["no guess at a day, soon after the start", metrics("skiff_datastore_written_bytes_total 340000\nskiff_datastore_open_seconds 3540\n"), "Datastore    sqlite 3.50.0  12 MB  0.3 MB written in 59m"],
  ["seconds and days as kubectl does", metrics("skiff_datastore_written_bytes_total 864000000\nskiff_datastore_open_seconds 2592007.4\n"), "Datastore    sqlite 3.50.0  12 MB  864 MB written in 30d, 29 MB a day at this rate"],
  ["the first seconds", metrics("skiff_datastore_written_bytes_total 340000\nskiff_datastore_open_seconds 9.6\n"), "Datastore    sqlite 3.50.0  12 MB  0.3 MB written in 9s"],
  ["an engine elsewhere", metrics(""), "Datastore    sqlite 3.50.0  12 MB"],
  ["alarms", metrics('skiff_datastore_alarm{alarm="NOSPACE"} 1\nskiff_datastore_alarm{alarm="CORRUPT"} 0\n'), "Datastore    sqlite 3.50.0  12 MB  ALARM NOSPACE: nothing new can be stored until there is room"],
  ["nothing", "go_x 1\n", undefined],
])("tells %s", (_, text, line) => expect(datastoreLine(text)).toBe(line!));
