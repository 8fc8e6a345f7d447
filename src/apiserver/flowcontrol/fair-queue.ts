import { dealHand } from "./shuffle-shard.ts";

/** A request that waits for its seats. */
export interface Waiting {
  readonly width: number;
  /** Its queue. */
  readonly queue: Queue;
  start(): void;
}

interface Queue {
  readonly waiting: Waiting[];
  /** Seats that wait. */
  seats: number;
  /** Virtual time, in seat-seconds, at which its next request may start. */
  virtualStart: number;
}

export interface QueuingOptions {
  queues: number;
  handSize: number;
  queueLengthLimit: number;
}

/** What a request is taken to last until it is known, in seconds. */
const guessedSeconds = 0.003;

/**
 * Queues of one priority level, served in start-time fair order: a queue that had much work done waits for the others. Flows are dealt to few
 * queues each. Source of the idea: KEP-1040.
 */
export class FairQueue {
  readonly #queues: Queue[];
  #virtualTime = 0;
  #length = 0;

  constructor(private readonly options: QueuingOptions) {
    this.#queues = Array.from({ length: options.queues }, () => ({ waiting: [], seats: 0, virtualStart: 0 }));
  }

  get length(): number {
    return this.#length;
  }

  /** The least occupied of the flow's queues. */
  queueFor(flow: string): Queue {
    const hand = dealHand(flow, this.#queues.length, this.options.handSize).map((index) => this.#queues[index]!);
    return hand.reduce((best, queue) => (queue.seats < best.seats ? queue : best));
  }

  /** False when the queue is full. */
  add(request: Waiting): boolean {
    const { queue } = request;
    if (queue.waiting.length >= this.options.queueLengthLimit) return false;
    // A queue that was idle has saved nothing up.
    if (queue.waiting.length === 0) queue.virtualStart = Math.max(queue.virtualStart, this.#virtualTime);
    queue.waiting.push(request);
    queue.seats += request.width;
    this.#length++;
    return true;
  }

  /** The request whose turn it is; it stays until `take`. */
  next(): Waiting | undefined {
    if (this.#length === 0) return undefined;
    let best: Queue | undefined;
    for (const queue of this.#queues) if (queue.waiting.length > 0 && (!best || queue.virtualStart < best.virtualStart)) best = queue;
    return best?.waiting[0];
  }

  take(request: Waiting): void {
    const { queue, width } = request;
    this.remove(request);
    this.#virtualTime = queue.virtualStart;
    this.charge(queue, width, guessedSeconds);
  }

  /** Takes a request out that gave up; false when it has been taken before. */
  remove(request: Waiting): boolean {
    const { waiting } = request.queue;
    const index = waiting.indexOf(request);
    if (index < 0) return false;
    waiting.splice(index, 1);
    request.queue.seats -= request.width;
    this.#length--;
    return true;
  }

  /** Corrects the guess when a request has ended. */
  settle(queue: Queue, width: number, seconds: number): void {
    this.charge(queue, width, seconds - guessedSeconds);
  }

  private charge(queue: Queue, width: number, seconds: number): void {
    queue.virtualStart += width * seconds;
  }
}
