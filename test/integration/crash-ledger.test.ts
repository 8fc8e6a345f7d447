import { describe, expect, test } from "bun:test";
import { type Attempt, Ledger, type Seen } from "../crash/ledger.ts";

const key = "configmaps/a";

/** A ledger, and writes to one key in it. */
function begin() {
  const ledger = new Ledger();
  const create = (): Attempt => ledger.begin({ key, type: "create", volatile: false, content: "whole" });
  const update = (expected: number, volatile = false): Attempt => ledger.begin({ key, type: "update", volatile, expected, content: "whole" });
  const remove = (expected: number): Attempt => ledger.begin({ key, type: "delete", volatile: false, expected, content: "" });
  const state = ({ number }: Attempt, revision: number): Seen => ({ key, revision, number, content: "whole" });
  const restart = (revision: number, ...states: Seen[]): void => ledger.recovered(new Map(states.map((seen) => [seen.key, seen])), revision);
  const created = create();
  ledger.acknowledge(created, 5);
  return { ledger, create, update, remove, state, restart, created };
}

describe("after a restart, all is well when", () => {
  const cases: Record<string, (tested: ReturnType<typeof begin>) => void> = {
    "what was answered is there": ({ created, state, restart }) => restart(100, state(created, 5)),
    "what was not answered is there": ({ update, state, restart }) => restart(100, state(update(5), 6)),
    "what was not answered is not there": ({ created, update, state, restart }) => {
      update(5);
      restart(100, state(created, 5));
    },
    "a delete was answered": ({ ledger, remove, restart }) => {
      ledger.acknowledge(remove(5));
      restart(100);
    },
    "a delete was not answered, and happened": ({ remove, restart }) => {
      remove(5);
      restart(100);
      restart(200);
    },
    "a volatile update is taken back": ({ ledger, created, update, state, restart }) => {
      ledger.acknowledge(update(5, true), 6);
      restart(100, state(created, 5));
    },
    "it is written on": ({ ledger, create, remove, restart }) => {
      ledger.acknowledge(remove(5));
      restart(100);
      ledger.acknowledge(create(), 101);
    },
  };
  test.each(Object.entries(cases))("%s", (_, happens) => {
    const tested = begin();
    happens(tested);
    expect(tested.ledger.violations).toEqual([]);
  });
});

describe("a contradiction is found when", () => {
  const cases: Record<string, [RegExp, (tested: ReturnType<typeof begin>) => void]> = {
    "an answered create is gone": [/configmaps\/a: lost: attempt 1 at revision 5, and there is nothing/, ({ restart }) => restart(100)],
    "an answered update is gone": [/lost: attempt 2 at revision 6, and there is configmaps\/a attempt 1 at revision 5/, ({ ledger, created, update, state, restart }) => {
      ledger.acknowledge(update(5), 6);
      restart(100, state(created, 5));
    }],
    "an answered delete is undone": [/lost: deleted before 5.5/, ({ ledger, created, remove, state, restart }) => {
      ledger.acknowledge(remove(5));
      restart(100, state(created, 5));
    }],
    "a delete that was not answered is undone by the restart after": [/lost: deleted before 5.5/, ({ created, remove, state, restart }) => {
      remove(5);
      restart(100);
      restart(200, state(created, 5));
    }],
    "what a watcher was shown is gone": [/lost: attempt 2 at revision 6/, ({ ledger, created, update, state, restart }) => {
      ledger.saw(state(update(5), 6));
      restart(100, state(created, 5));
    }],
    "a delete that a watcher was shown is undone": [/lost: deleted before 6/, ({ ledger, created, remove, state, restart }) => {
      remove(5);
      ledger.saw({ key, revision: 6 });
      restart(100, state(created, 5));
    }],
    "a delete of an older state is all that could have removed it": [/lost: attempt 3 at revision 6/, ({ ledger, update, remove, restart }) => {
      remove(5);
      ledger.acknowledge(update(5), 6);
      restart(100);
    }],
    "a refused write is there": [/attempt 2 was refused/, ({ ledger, update, state, restart }) => {
      const attempt = update(5);
      ledger.refuse(attempt);
      restart(100, state(attempt, 6));
    }],
    "a write comes back": [/attempt 2 was gone after the restart, and came back at revision 101/, ({ ledger, created, update, state, restart }) => {
      const attempt = update(5);
      restart(100, state(created, 5));
      ledger.saw(state(attempt, 101));
    }],
    "nobody wrote it": [/which nobody wrote/, ({ restart }) => restart(100, { key, revision: 6, number: 77, content: "whole" })],
    "it is half": [/attempt 1 at revision 5 is half, not whole/, ({ created, state, restart }) => restart(100, { ...state(created, 5), content: "half" })],
    "a revision names two states": [/revision 6 is configmaps\/a attempt 3 at revision 6 and was configmaps\/a attempt 2/, ({ ledger, created, update, state, restart }) => {
      ledger.acknowledge(update(5, true), 6);
      restart(5, state(created, 5));
      ledger.saw(state(update(5), 6));
    }],
    "revisions go back": [/is at revision 3 after the restart, behind 5/, ({ created, state, restart }) => restart(3, state(created, 5))],
    "a new write gets an old revision": [/was given revision 99, though 100/, ({ ledger, created, update, state, restart }) => {
      restart(100, state(created, 5));
      ledger.acknowledge(update(5), 99);
    }],
    "a read is behind": [/behind: attempt 1 at revision 5, and there is nothing/, ({ ledger }) => ledger.read(key, undefined, ledger.floor(key))],
  };
  test.each(Object.entries(cases))("%s", (_, [message, happens]) => {
    const tested = begin();
    happens(tested);
    expect(tested.ledger.violations.join("\n")).toMatch(message);
  });
});
