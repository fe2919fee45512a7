import type { Parties } from './event.ts';
import type { Numbers } from './sequencer.ts';

/** Where a journal is read. Whatever it returns is under suspicion. */
export interface VerifySource {
  /** Everything of one instant. */
  overview(): Promise<Overview>;
  entries(from: number, to: number): Promise<Entries>;
  tiles(level: number, from: number, to: number): Promise<Map<number, { hashes: Buffer; root: Buffer }>>;
  /** Checkpoints of sizes above `after`, up to `to`, in order. */
  checkpoints(after: number, to: number): Promise<{ size: number; root: Buffer; note: string }[]>;
  /** The leaves that say a change of the log's key. */
  rotations(): Promise<{ index: number; leaf: Buffer }[]>;
}

export interface Overview {
  readonly logId: string;
  readonly size: number;
  readonly root: Buffer;
  readonly tiles: number;
  /** Size of the newest checkpoint stored, and its note. */
  readonly sealed: number;
  readonly lastNote: string | undefined;
  /** Lowest and highest index found in each table. */
  readonly lowest: number;
  readonly highest: { readonly leaf: number; readonly payload: number; readonly receipt: number; readonly projection: number };
}

export interface LeafRow {
  readonly at: Date;
  readonly leafHash: Buffer;
  readonly leaf: Buffer;
}
export interface PayloadRow {
  readonly eventId: string;
  readonly class: string;
  /** `YYYY-MM`. */
  readonly month: string;
  readonly subject: Buffer;
  readonly actor: Buffer | undefined;
}
export interface ReceiptRow {
  readonly eventId: string;
  readonly leafHash: Buffer;
}
export interface ProjectionRow {
  readonly at: Date;
  readonly type: string;
  readonly parties: Parties;
  readonly numbers: Numbers;
}

/** The rows of a range, by index. */
export interface Entries {
  readonly leaves: ReadonlyMap<number, LeafRow>;
  readonly payloads: ReadonlyMap<number, PayloadRow>;
  readonly receipts: ReadonlyMap<number, ReceiptRow>;
  readonly projections: ReadonlyMap<number, ProjectionRow>;
}
