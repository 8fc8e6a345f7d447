/**
 * The queues that a flow may use: `handSize` different ones of `deckSize`, the same for the same flow. Two flows rarely share all of theirs, so
 * that a greedy one does not stand before everybody.
 */
export function dealHand(flow: string, deckSize: number, handSize: number): number[] {
  let entropy = BigInt(Bun.hash(flow));
  const hand: number[] = [];
  for (let dealt = 0; dealt < Math.min(handSize, deckSize); dealt++) {
    const left = BigInt(deckSize - dealt);
    let card = Number(entropy % left);
    entropy /= left;
    // Cards are counted among those that are left.
    for (const taken of hand.toSorted((a, b) => a - b)) if (card >= taken) card++;
    hand.push(card);
  }
  return hand;
}
