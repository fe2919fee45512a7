declare const brand: unique symbol;

/**
 * A handle on the database through which a store reads and writes. It is either one open transaction, or `auto`, where each statement
 * is its own transaction. Only `persistence` knows what is inside.
 */
export interface Transaction {
  readonly [brand]: 'transaction';
}

/** Opens transactions. A use case runs its checks, its writes and its journal entry in one `run`. */
export interface Transactions {
  /** Each statement commits by itself: for single reads and single writes. */
  readonly auto: Transaction;
  /**
   * Runs `work` in one transaction: commits if it returns, rolls back if it throws. Deadlocks and serialization failures are tried
   * again at most three times, so `work` must have no effect outside the database.
   */
  run<T>(work: (tx: Transaction) => Promise<T>): Promise<T>;
}
