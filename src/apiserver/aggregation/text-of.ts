/** An answer's whole body. Throws an Error for one that is longer than `most` bytes. */
export async function textOf(answer: AsyncIterable<unknown>, most: number): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > most) throw new Error("the document is too large");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
