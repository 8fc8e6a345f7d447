/**
 * Resolves once nothing has been written for some milliseconds, and nothing is `busy` writing. With a fake clock, components that were woken still
 * need real time for what they write: to move the clock on before they are done would have them be late.
 */
export async function quiet({ cacher }: { cacher: { readonly revision: number | bigint } }, busy: () => boolean = () => false): Promise<void> {
  let seen = cacher.revision;
  for (let calm = 0; calm < 2; calm++) {
    await Bun.sleep(3);
    if (cacher.revision === seen && !busy()) continue;
    seen = cacher.revision;
    calm = -1;
  }
}
