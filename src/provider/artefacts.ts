import type { DelegatedSession } from '../delegation/session.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { Usager } from '../usagers/usager.ts';

/** What the library stores: opaque to us but for the members named here. */
export interface Payload {
  readonly [member: string]: unknown;
  readonly accountId?: string;
  readonly grantId?: string;
  readonly uid?: string;
}

export interface Found {
  readonly payload: Payload;
  readonly consumedAt: Date | undefined;
  /** The artefact's grant, when it has one and the grant is there. */
  readonly grant: Payload | undefined;
  /** The library's own session that it is bound to, when that is there. */
  readonly session: Payload | undefined;
  /** The live delegated session behind it; undefined for a plain sign-in. A dead one is never found at all. */
  readonly delegated: DelegatedSession | undefined;
  /** The person concerned. */
  readonly usager: Usager | undefined;
}

/** A code, as it was found, and the service that redeems it. */
export interface Redemption {
  readonly code: string;
  readonly found: Found;
  readonly clientId: string;
}

/** The provider's storage. Times are instants; absence is undefined; what must happen once happens in one conditional statement. */
export interface ArtefactStore {
  /**
   * Writes an artefact, in place of an older one of the same id; with `onlyIfLive`, one of a delegated account, only if its session is live, holding
   * the session against a concurrent stop (claim M17). In the caller's transaction when one is given, otherwise in one of its own. False: nothing was written.
   */
  write(
    artefact: {
      readonly model: string;
      readonly id: string;
      readonly payload: Payload;
      readonly expiresAt: Date | undefined;
      readonly onlyIfLive: boolean;
      readonly now: Date;
      /** An interaction that ends with this write, deleted in the same statement. */
      readonly finishes: string | undefined;
      /** A code that this token is for: used up, with its entry `token.issued`, in the same statement as the token is written, or nothing is (claim P1). */
      readonly redeems: Redemption | undefined;
    },
    tx?: Transaction,
  ): Promise<boolean>;
  /** Reads an artefact that has no grant behind it: interaction, session, request. */
  find(model: string, id: string): Promise<{ payload: Payload; consumedAt: Date | undefined } | undefined>;
  findByUid(model: string, uid: string): Promise<{ payload: Payload; consumedAt: Date | undefined } | undefined>;
  /** Reads a grant, code or token with all that stands behind it, in one statement. One of a delegated session that is not live is absent. */
  findLive(model: string, id: string, now: Date): Promise<Found | undefined>;
  /** Marks as consumed; false when it was already, or is gone. */
  consume(model: string, id: string, now: Date): Promise<boolean>;
  destroy(model: string, id: string): Promise<void>;
  /** Deletes a grant and everything issued under it; ends its delegated session for this reason. */
  revokeGrant(grantId: string, reason: 'code_replayed' | 'signed_out', now: Date): Promise<void>;
  /** True the first time; false while the same proof is remembered. */
  unique(id: Buffer, expiresAt: Date, now: Date): Promise<boolean>;
  /** Deletes what has expired. Returns how many. */
  purge(now: Date): Promise<number>;
}
