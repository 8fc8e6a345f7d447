import { quantile, type Row } from "./measure.ts";
import { directoryFor, type StoreMeasure } from "./store-measure.ts";
import { engines, type Engine } from "./store-rivals.ts";
import { podKey, podsPrefix, podValue } from "./store-values.ts";

const crowds = [10, 100, 1000];

/** From one writer's write to the last watcher of the store that is told of it; over HTTP, see `npm run bench`. */
export const measureStoreWatch: StoreMeasure = async ({ quick }) => {
  using directory = directoryFor("watch");
  const rows: Row[] = [];
  for (const [name, open] of Object.entries(engines)) {
    const rival = await open(directory.path);
    try {
      for (const watchers of crowds) rows.push(...await fanOut(name, rival, watchers, quick ? 50 : 500));
    } finally {
      await rival.close();
    }
  }
  return rows;
};

async function fanOut(name: string, { storage, write }: Engine, watchers: number, changes: number): Promise<Row[]> {
  const pod = `web-${watchers}`, stop = new AbortController();
  let revision = await write(podKey(pod), podValue(pod, 0), 0), told = 0, all = Promise.withResolvers<number>();
  const watching = Array.from({ length: watchers }, () => storage.watch(podsPrefix, storage.revision, (events) => {
    if ((told += events.length) === watchers) all.resolve(performance.now());
  }, stop.signal));
  const times: number[] = [], began = performance.now();
  for (let turn = 1; turn <= changes; turn++) {
    told = 0;
    all = Promise.withResolvers();
    const asked = performance.now();
    revision = await write(podKey(pod), podValue(pod, turn), revision);
    times.push(await all.promise - asked);
  }
  const rate = changes * 1000 / (performance.now() - began);
  stop.abort();
  await Promise.all(watching);
  return [{ what: `a write has reached the last of ${watchers.toLocaleString("en-US")} watchers: ${name}`, values: [quantile(times, 0.5)], unit: "ms", note: `p99 ${quantile(times, 0.99).toFixed(2)} ms, ${rate.toFixed(0)} writes/s by one writer` }];
}
