/** Something that has to happen before `deadline` (by performance.now(), which no setting of the clock moves; `Infinity` for never). */
export interface Timed {
  /** The next moment at which `expire` wants to be called. Read it often, so it has to be cheap. */
  readonly deadline: number;
  expire(now: number): void;
}

/** Coarseness: nobody is called more than this late on purpose, and no two sweeps are closer together. */
const grainMs = 250;

/**
 * One timer for the timeouts of all connections. A deadline that moves later costs nothing; one that moves closer than any other is
 * announced with `soon`. No timer runs while nothing is due, so idle watches wake nobody.
 */
export class Deadlines {
  private readonly members = new Set<Timed>();
  private timer: ReturnType<typeof setTimeout> | undefined;
  private wakeAt = Infinity;

  add(member: Timed): void {
    this.members.add(member);
    this.soon(member.deadline);
  }

  delete(member: Timed): void {
    this.members.delete(member);
  }

  soon(deadline: number): void {
    if (deadline >= this.wakeAt) return;
    clearTimeout(this.timer);
    this.wakeAt = deadline;
    this.timer = setTimeout(this.sweep, Math.max(deadline - performance.now(), 0) + grainMs);
    this.timer.unref();
  }

  private readonly sweep = (): void => {
    this.wakeAt = Infinity;
    const now = performance.now();
    let next = Infinity;
    for (const member of this.members) {
      if (member.deadline <= now) member.expire(now);
      if (member.deadline < next) next = member.deadline;
    }
    this.soon(next);
  };
}
