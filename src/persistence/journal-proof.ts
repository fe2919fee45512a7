import { proveInclusion } from '../journal/proof.ts';
import { type ProofText, writeProofText } from '../journal/proof-text.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { row } from './database.ts';
import { hashSource, lastCheckpoint } from './journal-source.ts';
import { sql } from './sql.ts';

/** Writes the proof of an entry under `checkpoint`, with its leaf. Undefined while no checkpoint covers it. */
export const proofTextOf = async (
  tx: Transaction,
  index: number,
  checkpoint: { readonly size: number; readonly note: string } | undefined,
): Promise<string | undefined> => {
  if (!checkpoint || checkpoint.size <= index) return undefined;
  const found = await row<{ leaf: Buffer }>(tx, sql`select leaf from journal.leaf where idx = ${index}`);
  if (!found) return undefined;
  const proof: ProofText = { index, hashes: await proveInclusion(hashSource(tx), index, checkpoint.size), note: checkpoint.note, extra: found.leaf };
  return writeProofText(proof);
};

/** Writes the proof of an entry under the newest signed checkpoint. Undefined while none covers it. */
export const newestProof = async (tx: Transaction, index: number): Promise<string | undefined> => proofTextOf(tx, index, await lastCheckpoint(tx));
