import { readCheckpoint } from '../journal/note.ts';
import { proveConsistency, proveInclusion } from '../journal/proof.ts';
import type { SignAnswer, SignerClient, SignRefusal, SignRequest } from '../journal/signer.ts';
import { EMPTY_ROOT } from '../journal/tree.ts';
import type { Clock } from '../kernel/clock.ts';
import { Failure } from '../kernel/failure.ts';
import type { Transaction } from '../kernel/transaction.ts';
import { type Database, type Dedicated, row, run, sqlState } from './database.ts';
import type { Sequencer } from './journal-sequencer.ts';
import { hashSource, lastCheckpoint } from './journal-source.ts';
import { sql } from './sql.ts';

export type SealingAlarm =
  | { readonly kind: 'seal_refused'; readonly refused: SignRefusal; readonly message: string }
  | { readonly kind: 'seal_fault'; readonly code: string };

export interface Sealing {
  /** Puts the head to the signer now, changed or not, whoever leads. Returns the size that is sealed, or the signer's refusal. */
  seal(): Promise<{ size: number } | { refused: SignRefusal; message: string }>;
  /** The signer's last answer was a refusal. */
  refused(): boolean;
  stop(): Promise<void>;
}

export interface SealingOptions {
  readonly database: Database;
  readonly sequencer: Pick<Sequencer, 'leading'>;
  readonly signer: SignerClient;
  readonly clock: Clock;
  readonly onAlarm?: (alarm: SealingAlarm) => void;
  readonly everyMs?: number;
  /** Runs after each second's seal, whether or not this process leads: witnesses are asked here. Its faults are alarms. */
  readonly afterwards?: (tx: Transaction, leading: boolean) => Promise<void>;
}

/** The newest change of the log's key, shown to be in the tree. */
const rotationIn = async (tx: Transaction, size: number): Promise<SignRequest['rotation']> => {
  const found = await row<{ index: number; leaf: Buffer }>(
    tx,
    sql`select l.idx as index, l.leaf from journal.projection p join journal.leaf l on l.idx = p.idx
      where p.type = 'key.rotated' and p.idx < ${size} order by p.idx desc limit 1`,
  );
  return found && { ...found, proof: await proveInclusion(hashSource(tx), found.index, size) };
};

/** Asks the signer for the head, from the size it last signed: the one that the database knows, or the one that it names itself. */
const ask = async (
  tx: Transaction,
  signer: Pick<SignerClient, 'sign'>,
  sealed: number,
  head: { size: number; root: Buffer },
): Promise<SignAnswer> => {
  let asked: Pick<SignRequest, 'oldSize' | 'rotation'> = { oldSize: sealed };
  for (let tries = 0; ; tries++) {
    const proof = await proveConsistency(hashSource(tx), asked.oldSize, head.size);
    const answer = await signer.sign({ ...asked, proof, newSize: head.size, root: head.root });
    if ('note' in answer || tries === 2) return answer;
    const signed = answer.refused === 'stale_size' && answer.size !== undefined && answer.size <= head.size ? answer.size : undefined;
    const rotation = answer.refused === 'rotation_pending' && !asked.rotation ? await rotationIn(tx, head.size) : undefined;
    if (signed === undefined && !rotation) return answer;
    asked = { ...asked, ...(signed === undefined ? {} : { oldSize: signed }), ...(rotation ? { rotation } : {}) };
  }
};

const sealOnce = async (
  connection: Dedicated,
  signer: Pick<SignerClient, 'sign'>,
  now: () => Date,
  always: boolean,
): Promise<Awaited<ReturnType<Sealing['seal']>> | { size: number; late: true }> => {
  const tx = connection.auto;
  const head = await row<{ size: number; root: Buffer }>(tx, sql`select size, root from journal.head`);
  if (!head) throw new Failure('journal_head_missing');
  const sealed = (await lastCheckpoint(tx)) ?? { size: 0, root: EMPTY_ROOT };
  if (!always && head.size === sealed.size && head.root.equals(sealed.root)) return { size: head.size };
  // A head that contradicts what was sealed is put to the signer all the same: its refusal is what raises the alarm.
  const answer =
    head.size < sealed.size
      ? await signer.sign({ oldSize: sealed.size, proof: [], newSize: head.size, root: head.root })
      : await ask(tx, signer, sealed.size, head);
  if ('refused' in answer) {
    // A head that was read before another process led, wrote and signed is only late: what stands now is put to the signer at the next turn.
    const now = answer.refused === 'smaller_tree' ? await row<{ size: number }>(tx, sql`select size from journal.head`) : undefined;
    if (now && answer.size !== undefined && now.size >= answer.size) return { size: head.size, late: true };
    return { refused: answer.refused, message: answer.message };
  }
  const signed = readCheckpoint(answer.note.slice(0, answer.note.lastIndexOf('\n\n') + 1));
  if (signed.size !== head.size || !signed.root.equals(head.root))
    throw new Failure('signer_answered_amiss', 'the checkpoint is not the one that was asked');
  await run(
    tx,
    sql`insert into journal.checkpoint (size, root, note, at) values (${head.size}, ${head.root}, ${answer.note}, ${now()}) on conflict (size) do nothing`,
  );
  return { size: head.size };
};

/** An older copy of the database agrees with its own checkpoints: only the signer knows better, so it is asked at the start and each minute. */
const ASK_REGARDLESS_MS = 60_000;

/** Starts sealing: each second, in the process that leads, the head is signed if it changed (journal.md §3.6). */
export const startSealing = (options: SealingOptions): Sealing => {
  const { database, sequencer, signer, clock, onAlarm = () => undefined, everyMs = 1000, afterwards } = options;
  let opened: Promise<Dedicated | undefined> = Promise.resolve(undefined);
  let busy: Promise<unknown> = Promise.resolve();
  let askedAt = Number.NEGATIVE_INFINITY;
  let [refused, ticking, stopped] = [false, false, false];
  const watched: Pick<SignerClient, 'sign'> = {
    async sign(request) {
      const answer = await signer.sign(request);
      refused = 'refused' in answer && answer.refused !== 'stale_size';
      return answer;
    },
  };
  /** One connection, opened again when it is gone, whoever asks at once. */
  const connected = (): Promise<Dedicated> => {
    const open = (): Promise<Dedicated> => database.dedicated('relais_sequencer');
    const next = opened.then((connection) => (connection?.alive() ? connection : open()), open);
    opened = next;
    return next;
  };
  const seal = (always: boolean): ReturnType<Sealing['seal']> => {
    const turn = busy.then(async () => {
      const outcome = await sealOnce(await connected(), watched, () => clock.now(), always);
      if (always) askedAt = performance.now();
      if ('refused' in outcome) onAlarm({ kind: 'seal_refused', refused: outcome.refused, message: outcome.message });
      if (!('late' in outcome)) return outcome;
      refused = false;
      return { size: outcome.size };
    });
    busy = turn.catch(() => undefined);
    return turn;
  };
  const tellFault = (error: unknown): void =>
    onAlarm({ kind: 'seal_fault', code: sqlState(error) ?? (error instanceof Failure ? error.code : 'unknown') });
  const tick = async (): Promise<void> => {
    const leading = sequencer.leading();
    if (leading) await seal(performance.now() - askedAt > ASK_REGARDLESS_MS).catch(tellFault);
    if (afterwards && !stopped) await afterwards((await connected()).auto, leading);
  };
  let ticked: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    if (ticking) return;
    ticking = true;
    ticked = tick()
      .catch(tellFault)
      .finally(() => {
        ticking = false;
      });
  }, everyMs);
  return {
    seal: () => seal(true),
    refused: () => refused,
    async stop() {
      stopped = true;
      clearInterval(timer);
      await busy;
      await ticked;
      await opened.then((connection) => connection?.release()).catch(() => undefined);
    },
  };
};
