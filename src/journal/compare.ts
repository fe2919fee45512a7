import { openWitnessed, type Policy, type Witnessed } from './policy.ts';
import { verifyConsistency } from './proof.ts';

/** Two signed checkpoints of one log, side by side. */

export interface Comparison {
  /**
   * `same`: the same tree. `continued`: the proof shows the smaller to begin the larger. `contradiction`: two trees of one size, both signed: nobody
   * needs anything else to see that the log showed two histories. `unproved`: the sizes differ, and no proof shows anything.
   */
  readonly verdict: 'same' | 'continued' | 'contradiction' | 'unproved';
  readonly first: Witnessed;
  readonly second: Witnessed;
}

/** Compares two notes of the log `origin`. Fails as `openWitnessed` does for either. */
export const compareNotes = (notes: readonly [string, string], origin: string, policy: Policy, proof?: readonly Buffer[]): Comparison => {
  const [first, second] = [openWitnessed(notes[0], origin, policy), openWitnessed(notes[1], origin, policy)];
  const [a, b] = [first.checkpoint, second.checkpoint];
  if (a.size === b.size) return { verdict: a.root.equals(b.root) ? 'same' : 'contradiction', first, second };
  const [smaller, larger] = a.size < b.size ? [a, b] : [b, a];
  const proved = proof !== undefined && verifyConsistency(smaller.size, smaller.root, larger.size, larger.root, proof);
  return { verdict: proved ? 'continued' : 'unproved', first, second };
};
