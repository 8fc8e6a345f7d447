/**
 * Resolves once nothing has been written for a few milliseconds. With a fake clock, components that were woken still need real time for what
 * they write: to move the clock on before they are done would have them be late.
 */
export async function quiet({ cacher }: { cacher: { readonly revision: number | bigint } }): Promise<void> {
  for (let before: number | bigint | undefined; before !== cacher.revision;) {
    before = cacher.revision;
    await Bun.sleep(3);
  }
}
