import { types } from "./message.ts";
import { answersAt, writeReply } from "./message-writer.ts";
import { resolve, sectionsOf, type Zone } from "./zone.ts";

/** A name of the cluster as a message for `forClient`, or the other name that an ExternalName Service gives it. */
export type ZoneAnswer = { message: Buffer; alias?: undefined } | { alias: string };

interface Remembered {
  answer: ZoneAnswer;
  /** How many addresses it lists, one after the other, and how long each record is. */
  addresses: number;
  recordLength: number;
  turn: number;
}

const addressRecordLength = { [types.A]: 16, [types.AAAA]: 28 } as Record<number, number>;
/** Each a few hundred bytes. */
const mostRemembered = 2048;

/** The zone's answers, written once until a record changes. Where there are several addresses, each answer begins with another one. */
export class ZoneAnswers {
  readonly #remembered = new Map<string, Remembered>();
  readonly #unsubscribe: () => void;

  constructor(private readonly zone: Zone) {
    this.#unsubscribe = zone.records.onChange(() => this.#remembered.clear());
  }

  close(): void {
    this.#unsubscribe();
  }

  /** Undefined when the name isn't the cluster's. */
  find(name: string, type: number): ZoneAnswer | undefined {
    const key = `${type} ${name}`;
    const known = this.#remembered.get(key);
    if (known) return turned(known, name);
    const resolution = resolve({ name, type }, this.zone);
    if (!resolution) return undefined;
    const isAlias = resolution.alias !== undefined && type !== types.CNAME;
    const answer: ZoneAnswer = isAlias ? { alias: resolution.alias! } : { message: writeReply({ name, type }, sectionsOf(resolution, this.zone.domain)) };
    if (this.#remembered.size >= mostRemembered) this.#remembered.clear();
    const addresses = !isAlias && addressRecordLength[type] ? resolution.answers.length : 0;
    this.#remembered.set(key, { answer, addresses, recordLength: addressRecordLength[type] ?? 0, turn: 0 });
    return answer;
  }
}

function turned(known: Remembered, name: string): ZoneAnswer {
  const { answer, addresses, recordLength } = known;
  if (addresses < 2 || !("message" in answer)) return answer;
  known.turn = (known.turn + 1) % addresses;
  const start = answersAt(name), middle = start + known.turn * recordLength, end = start + addresses * recordLength;
  const { message } = answer as { message: Buffer };
  return { message: Buffer.concat([message.subarray(0, start), message.subarray(middle, end), message.subarray(start, middle), message.subarray(end)], message.length) };
}
