import type { Policy, PolicyWitness } from '../journal/policy.ts';
import { proveConsistency } from '../journal/proof.ts';
import { submitCheckpoint } from '../journal/witness-client.ts';
import type { Clock } from '../kernel/clock.ts';
import { Failure } from '../kernel/failure.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { sqlState } from './database.ts';
import { confirmedBy, keepCosignature, witnessKey } from './journal-cosignatures.ts';
import { hashSource, lastCheckpoint } from './journal-source.ts';

/** Asking the witnesses of the policy to cosign what was signed (journal.md §3.6). The seal never waits for them. */

export type WitnessAlarm =
  /** It has not cosigned for a quarter of an hour. */
  | { readonly kind: 'witness_late'; readonly witness: string; readonly minutes: number }
  /** It knows more entries than there are: the end of the journal was cut, or an older backup restored. */
  | { readonly kind: 'witness_ahead'; readonly witness: string; readonly size: number; readonly known: number }
  /** It refuses what it was shown. 422: it saw another past. */
  | { readonly kind: 'witness_refused'; readonly witness: string; readonly status: number }
  /** Its clock and ours differ by more than five minutes: its cosignature is not kept. */
  | { readonly kind: 'witness_clock'; readonly witness: string; readonly seconds: number }
  | { readonly kind: 'witness_fault'; readonly witness: string; readonly code: string };

export interface WitnessingOptions {
  readonly policy: Policy;
  readonly clock: Clock;
  readonly onAlarm?: (alarm: WitnessAlarm) => void;
  /** After each cosignature that was kept. */
  readonly onCosigned?: (tx: Transaction) => Promise<void>;
}

export interface Witnessing {
  /** Asks each witness that is free and has not seen the newest checkpoint within a minute, and returns at once; in the process that leads, alone. */
  ask(tx: Transaction, leading: boolean): Promise<void>;
  /** Gives up what is being asked. */
  stop(): Promise<void>;
}

/** A slow witness is left alone until it has answered; its late answer counts. */
const ANSWER_WITHIN_MS = 10_000;
/** The same checkpoint is cosigned anew after this, so that a quiet journal does not look like a frozen one. */
const AGAIN_MS = 60_000;
const MOST_PAUSE_MS = 5_000;
const LATE_MS = 15 * 60_000;
const CLOCK_MS = 5 * 60_000;
/** What a process remembered before it lost the lead is read again. */
const STALE_MS = 5_000;

interface Asked {
  readonly witness: PolicyWitness;
  readonly url: string;
  size: number;
  /** When it last spoke, by our clock; undefined when it never did. */
  at: Date | undefined;
  busy: boolean;
  failures: number;
  notBefore: number;
  /** When each kind of alarm was last raised. */
  readonly told: Map<string, number>;
}

type Newest = NonNullable<Awaited<ReturnType<typeof lastCheckpoint>>>;

/** Makes the witnessing of one process. */
export const createWitnessing = (options: WitnessingOptions): Witnessing => {
  const { policy, clock, onAlarm = () => undefined, onCosigned } = options;
  const stopped = new AbortController();
  const startedAt = clock.now();
  const asked: Asked[] = policy.witnesses.flatMap((witness) =>
    witness.url === undefined ? [] : [{ witness, url: witness.url, size: 0, at: undefined, busy: false, failures: 0, notBefore: 0, told: new Map() }],
  );
  const running = new Set<Promise<void>>();
  let readAt = Number.NEGATIVE_INFINITY;

  const alarm = (one: Asked, raised: WitnessAlarm): void => {
    const now = clock.now().getTime();
    if (now - (one.told.get(raised.kind) ?? Number.NEGATIVE_INFINITY) < LATE_MS) return;
    one.told.set(raised.kind, now);
    onAlarm(raised);
  };

  const keep = async (tx: Transaction, one: Asked, size: number, cosignature: { line: string; at: Date }): Promise<void> => {
    const now = clock.now();
    const apart = cosignature.at.getTime() - now.getTime();
    if (Math.abs(apart) > CLOCK_MS) return alarm(one, { kind: 'witness_clock', witness: one.witness.name, seconds: Math.round(apart / 1000) });
    await keepCosignature(tx, size, one.witness.verifier, cosignature.at, cosignature.line);
    [one.size, one.at] = [size, now];
    one.told.clear();
    await onCosigned?.(tx);
  };

  /** Asks one witness, from the size that it last confirmed, and again from the one that it names. */
  const askOne = async (tx: Transaction, one: Asked, newest: Newest): Promise<void> => {
    const { witness, url } = one;
    let oldSize = Math.min(one.size, newest.size);
    for (let tries = 0; tries < 3; tries++) {
      const answer = await submitCheckpoint({
        url,
        verifier: witness.verifier,
        request: { oldSize, proof: await proveConsistency(hashSource(tx), oldSize, newest.size), note: newest.note },
        signal: AbortSignal.any([stopped.signal, AbortSignal.timeout(ANSWER_WITHIN_MS)]),
      });
      if ('cosigned' in answer) return keep(tx, one, newest.size, answer.cosigned);
      if ('refused' in answer || answer.knows > newest.size) {
        one.notBefore = performance.now() + MOST_PAUSE_MS;
        return alarm(
          one,
          'refused' in answer
            ? { kind: 'witness_refused', witness: witness.name, status: answer.refused }
            : { kind: 'witness_ahead', witness: witness.name, size: newest.size, known: answer.knows },
        );
      }
      oldSize = answer.knows;
    }
  };

  const start = (tx: Transaction, one: Asked, newest: Newest): void => {
    one.busy = true;
    const work = askOne(tx, one, newest)
      .then(() => {
        one.failures = 0;
      })
      .catch((error: unknown) => {
        one.notBefore = performance.now() + Math.min(250 * 2 ** one.failures++, MOST_PAUSE_MS);
        const code = sqlState(error) ?? (error instanceof Failure ? error.code : 'unknown');
        if (code !== 'witness_unreachable' && !stopped.signal.aborted) alarm(one, { kind: 'witness_fault', witness: one.witness.name, code });
      })
      .finally(() => {
        one.busy = false;
        running.delete(work);
      });
    running.add(work);
  };

  const tellLate = (one: Asked): void => {
    const silent = clock.now().getTime() - (one.at ?? startedAt).getTime();
    if (silent >= LATE_MS) alarm(one, { kind: 'witness_late', witness: one.witness.name, minutes: Math.floor(silent / 60_000) });
  };

  return {
    async ask(tx, leading) {
      if (!leading || !asked.length || stopped.signal.aborted) return;
      const newest = await lastCheckpoint(tx);
      if (!newest) return;
      if (performance.now() - readAt > STALE_MS) {
        const confirmed = await confirmedBy(
          tx,
          asked.map(({ witness }) => witness.verifier),
        );
        for (const one of asked) {
          const known = confirmed.get(witnessKey(one.witness.verifier));
          if (known && !one.busy) [one.size, one.at] = [known.size, known.at];
        }
      }
      readAt = performance.now();
      const now = clock.now().getTime();
      for (const one of asked) {
        tellLate(one);
        const due = one.size !== newest.size || !one.at || now - one.at.getTime() >= AGAIN_MS;
        if (due && !one.busy && performance.now() >= one.notBefore) start(tx, one, newest);
      }
    },
    async stop() {
      stopped.abort();
      await Promise.all(running);
    },
  };
};
