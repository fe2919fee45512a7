import type { Transaction } from '../kernel/transaction.ts';
import type { Queued } from './entry.ts';
import type { Details, Entry, EventType, Parties } from './event.ts';
import type { OpenBox } from './payload.ts';
import type { Numbers } from './sequencer.ts';

/** Where an entry sits in the log, and what it hashes to: evidence that whoever holds it can check against any later checkpoint. */
export interface Receipt {
  readonly origin: string;
  readonly index: number;
  /** SHA-256(0x00 ‖ leaf bytes), base64url. */
  readonly leaf: string;
}

/** An entry as it is read back: its parties, and its sealed part opened. */
export interface StoredEntry extends Parties {
  readonly index: number;
  readonly eventId: string;
  readonly at: Date;
  readonly type: EventType;
  readonly leaf: string;
  /** The opened payload's detail; null when the box no longer opens. */
  readonly detail: Details[EventType] | null;
  /** When time erased it and on which ground, where `detail` is null for that reason; whoever was erased herself is not linked to a day. */
  readonly erased?: { readonly at: Date; readonly ground: string };
}

/** An entry with all that lets its party check it: what it holds is for that party alone, field by field (`show`). */
export interface ProvedEntry extends StoredEntry {
  /** The bytes that were hashed. */
  readonly leafText: string;
  readonly numbers: Numbers;
  /** A box is missing when its key was erased. */
  readonly boxes: { readonly subject?: OpenBox; readonly actor?: OpenBox };
}

export interface Filter {
  readonly usager?: string;
  readonly administration?: string;
  readonly organisation?: string;
  readonly aidant?: string;
  readonly session?: string;
  /** Only these entries. */
  readonly indices?: readonly number[];
  readonly types?: readonly EventType[];
  readonly service?: string;
  readonly theme?: string;
  readonly demarche?: string;
  readonly outcome?: string;
  readonly from?: Date;
  readonly until?: Date;
  /** Keyset: only entries below this index. */
  readonly before?: number;
  /** At most this many, newest first (default 50, ceiling 500). */
  readonly limit?: number;
}

export interface Journal {
  /**
   * Writes `entry` to the queue in the caller's transaction: if this fails, the caller's change must not commit. `eventId` makes it
   * idempotent: the same id again is one entry. Returns the event id. Fails as `journal_full` when too much waits (back-pressure).
   */
  record(tx: Transaction, entry: Entry, eventId?: string): Promise<string>;
  /** Writes several entries, in this order, in one statement. */
  recordAll(tx: Transaction, entries: readonly { readonly entry: Entry; readonly eventId?: string }[]): Promise<void>;
  /**
   * Makes the queue row of `entry` without writing it: for a statement that writes it together with what it tells (`persistence` alone). Fails as
   * `record` does.
   */
  seal(entry: Entry, eventId?: string): Queued;
  /** Tells the sequencer of this process that something was committed. Call it after the commit; forgetting it only costs time. */
  nudge(): void;
  /** Waits until `eventId` is sequenced (committed by its transaction before). Never call it inside a transaction. Undefined after `timeoutMs`. */
  receipt(eventId: string, timeoutMs?: number): Promise<Receipt | undefined>;
  /** Reads entries, newest first, opened. */
  read(tx: Transaction, filter: Filter): Promise<StoredEntry[]>;
  /** The same, with leaf bytes, numbers and open boxes. */
  prove(tx: Transaction, filter: Filter): Promise<ProvedEntry[]>;
  /** The key of a party's tags; undefined when it has no entry yet or was erased. */
  tagKey(tx: Transaction, party: string): Promise<Buffer | undefined>;
}
