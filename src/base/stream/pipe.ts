import type { RawConnection } from "../http.ts";

/** Copies bytes both ways between two connections, each as fast as the other takes them, until one closes; then ends the other. */
export function pipe(one: RawConnection, other: RawConnection): void {
  forward(one, other);
  forward(other, one);
}

function forward(from: RawConnection, to: RawConnection): void {
  from.onData = (bytes) => {
    if (to.write(bytes)) return;
    from.pause();
    void to.drained().then(() => from.resume());
  };
  from.onClose = () => to.end();
}
