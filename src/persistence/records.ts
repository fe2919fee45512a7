import { Failure } from '../kernel/failure.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { row } from './database.ts';
import type { Statement } from './sql.ts';

/**
 * Many rows at the price of one: PostgreSQL writes them one after the other in its own binary form (`string_agg(record_send(r), '')`), and each value is
 * read at its place, when it is asked for. A driver's row of text costs many times more than the hashes that verify it.
 */

/** Microseconds between 1970 and 2000, where PostgreSQL's time begins. */
const EPOCH_MS = 946_684_800_000;

/** One row, whose columns are known by their position. */
export class Row {
  readonly #bytes: Buffer;
  /** Of each column where it begins, and how long it is; -1 for null. */
  readonly #at: Int32Array;
  constructor(bytes: Buffer, at: Int32Array) {
    this.#bytes = bytes;
    this.#at = at;
  }
  #start(column: number): number {
    return this.#at[2 * column] ?? 0;
  }
  isNull(column: number): boolean {
    return (this.#at[2 * column + 1] ?? -1) < 0;
  }
  bytes(column: number): Buffer {
    const start = this.#start(column);
    return this.#bytes.subarray(start, start + (this.#at[2 * column + 1] ?? 0));
  }
  text(column: number): string {
    const start = this.#start(column);
    return this.#bytes.toString('utf8', start, start + (this.#at[2 * column + 1] ?? 0));
  }
  /** A bigint below 2^53. */
  integer(column: number): number {
    const start = this.#start(column);
    return this.#bytes.readInt32BE(start) * 2 ** 32 + this.#bytes.readUInt32BE(start + 4);
  }
  /** A timestamptz, in milliseconds. */
  instant(column: number): Date {
    return new Date(Math.floor(this.integer(column) / 1000) + EPOCH_MS);
  }
  uuid(column: number): string {
    const start = this.#start(column);
    const hex = this.#bytes.toString('hex', start, start + 16);
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  }
}

const rowsIn = (bytes: Buffer): Row[] => {
  const found: Row[] = [];
  for (let at = 0; at < bytes.length; ) {
    const columns = bytes.readInt32BE(at);
    at += 4;
    const places = new Int32Array(2 * columns);
    for (let column = 0; column < columns; column++) {
      const length = bytes.readInt32BE(at + 4); // after the type
      at += 8;
      places[2 * column] = at;
      places[2 * column + 1] = length;
      if (length > 0) at += length;
    }
    found.push(new Row(bytes, places));
  }
  return found;
};

/** Runs a statement of one row whose every column is such an aggregate, or null: the rows in each. */
export const readRecords = async <Column extends string>(tx: Transaction, statement: Statement): Promise<Readonly<Record<Column, Row[]>>> => {
  const found = await row<Record<Column, Buffer | null>>(tx, statement);
  if (!found) throw new Failure('journal_not_read', 'a statement that answers with one row gave none');
  const columns = Object.entries<Buffer | null>(found).map(([column, bytes]) => [column, bytes ? rowsIn(bytes) : []]);
  return Object.fromEntries(columns) as Record<Column, Row[]>;
};
