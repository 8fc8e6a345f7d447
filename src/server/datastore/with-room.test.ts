import { expect, test } from "bun:test";
import { settle } from "../../../test/support/fake-clock.ts";
import { insufficientStorage } from "../../apimachinery/status.ts";
import { Shortage } from "./shortage.ts";
import { nowOrWithRoom } from "./with-room.ts";

const full = insufficientStorage("the disk is full");

test("what there is no room for is done once there is, and once", async () => {
  const shortage = new Shortage(), stop = new AbortController();
  let done = 0, refused = 0;
  const work = async (): Promise<void> => {
    if (shortage.why !== undefined || refused === 1) {
      refused++;
      throw full;
    }
    done++;
  };
  shortage.tell("the disk is full");
  await nowOrWithRoom(work, { shortage, stopping: stop.signal });
  expect({ done, refused }).toEqual({ done: 0, refused: 1 });
  // Full again before it is done: it waits once more.
  shortage.tell(undefined);
  shortage.tell("the disk is full");
  await settle();
  expect({ done, refused }).toEqual({ done: 0, refused: 2 });
  for (let i = 0; i < 2; i++) {
    shortage.tell(undefined);
    await settle();
    expect(done).toBe(1);
  }
});

test("what fails for another reason fails, and so does what an engine elsewhere has no room for", async () => {
  const shortage = new Shortage(), stopping = new AbortController().signal;
  await expect(nowOrWithRoom(async () => { throw full; }, { shortage, stopping })).rejects.toThrow("the disk is full");
  shortage.tell("the disk is full");
  await expect(nowOrWithRoom(async () => { throw new Error("broken"); }, { shortage, stopping })).rejects.toThrow("broken");
});
