import { timed, type Row } from "./measure.ts";
import { directoryFor, forAll, type StoreMeasure, watchPauses } from "./store-measure.ts";
import { type Engine, type Rival, rivals } from "./store-rivals.ts";
import { podKey, podsPrefix, podValue } from "./store-values.ts";

const objects = 10_000;
const pageObjects = 500;

/** Reading 10,000 pods from the store: at once, and in pages, between which others have their turn. What serves clients keeps them decoded in memory: see `npm run bench`. */
export const measureList: StoreMeasure = async ({ quick }) => {
  using directory = directoryFor("list");
  const rows: Row[] = [];
  for (const [name, open] of Object.entries(rivals)) {
    const rival = await open(directory.path);
    try {
      if (rival.list) rows.push(...await list(name, rival, quick ? 3 : 15));
    } finally {
      await rival.close();
    }
  }
  return rows;
};

async function list(name: string, rival: Rival & Partial<Engine>, times: number): Promise<Row[]> {
  await forAll(objects, (index) => rival.write(podKey(`web-${index}`), podValue(`web-${index}`, 0), 0));
  const whole: number[] = [], paged: number[] = [], pauses: number[] = [];
  for (let i = 0; i < times; i++) {
    whole.push(await timed(async () => {
      const found = await rival.list!(podsPrefix);
      if (found !== objects) throw new Error(`${name} lists ${found} of ${objects}`);
    }));
    const { storage } = rival;
    if (!storage) continue;
    const watching = watchPauses();
    paged.push(await timed(async () => {
      for (let after: string | undefined; ;) {
        const { items, more } = await storage.list(podsPrefix, { limit: pageObjects, ...(after === undefined ? {} : { after }) });
        if (!more) break;
        after = items.at(-1)!.key;
        await new Promise((resolve) => setImmediate(resolve));
      }
    }));
    pauses.push(Math.max(...watching.stop()));
  }
  const count = objects.toLocaleString("en-US");
  return [
    { what: `list of ${count} pods: ${name}`, values: whole, unit: "ms" },
    ...(paged.length > 0 ? [
      { what: `the same in pages of ${pageObjects}: ${name}`, values: paged, unit: "ms" },
      { what: `longest pause of the event loop meanwhile: ${name}`, values: pauses, unit: "ms" },
    ] : []),
  ];
}
