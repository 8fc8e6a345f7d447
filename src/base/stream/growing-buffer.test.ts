import { expect, test } from "bun:test";
import fc from "fast-check";
import { GrowingBuffer } from "./growing-buffer.ts";

test("holds what was appended and not discarded, whatever the order", () => {
  const step = fc.oneof(fc.record({ append: fc.uint8Array({ maxLength: 9000 }), expected: fc.nat(20_000) }), fc.record({ discard: fc.nat(6000) }), fc.constant("take" as const));
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const buffer = new GrowingBuffer();
    let model = Buffer.alloc(0);
    for (const one of steps) {
      if (one === "take") {
        expect(buffer.take().equals(model)).toBe(true);
        model = Buffer.alloc(0);
      } else if ("append" in one) {
        buffer.append(one.append, one.expected);
        model = Buffer.concat([model, one.append]);
      } else {
        const count = Math.min(one.discard, model.length);
        buffer.discard(count);
        model = model.subarray(count);
      }
      expect(buffer.length).toBe(model.length);
      expect(buffer.view().equals(model)).toBe(true);
    }
  }));
});
