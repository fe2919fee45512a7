import { appendFileSync } from 'node:fs';
import { connectSigner } from '../../src/journal/signer-client.ts';
import { Failure } from '../../src/kernel/failure.ts';
import { openPostgres, run } from '../../src/persistence/database.ts';
import { startSealing } from '../../src/persistence/journal-sealing.ts';
import { sql } from '../../src/persistence/sql.ts';
import { openPart } from './part.ts';

/** A process that records entries, waits for their receipts and writes them down, sequences and seals: to be killed at any moment. */
export interface ChildOptions {
  readonly name: string;
  readonly url: string;
  /** Where `kek` and `mac` are, base64. */
  readonly kek: string;
  readonly mac: string;
  readonly socket: string | undefined;
  /** One line a receipt: event, index, leaf. */
  readonly acknowledged: string;
  /** One line a checkpoint that the signer gave: size, root. */
  readonly signed: string;
  readonly alarms: string;
  readonly producers: number;
  /** How far its clock is from the machine's, in milliseconds. */
  readonly skewMs: number;
}

const options = JSON.parse(process.argv[2] ?? '{}') as ChildOptions;
const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
let stopping = false;

const main = async (): Promise<void> => {
  const database = await openPostgres(options.url, { max: 4 });
  const clock = { now: () => new Date(Date.now() + options.skewMs) };
  const onAlarm = (alarm: { kind: string }): void => appendFileSync(options.alarms, `${options.name} ${JSON.stringify(alarm)}\n`);
  const { journal, sequencer, origin } = await openPart({ ...options, database, clock, onAlarm });
  const signer = options.socket === undefined ? undefined : connectSigner({ path: options.socket, origin, timeoutMs: 2000 });
  const sealing =
    signer &&
    startSealing({
      database,
      sequencer,
      clock,
      everyMs: 100,
      onAlarm,
      signer: {
        ...signer,
        async sign(request) {
          const answer = await signer.sign(request);
          if ('note' in answer) appendFileSync(options.signed, `${request.newSize} ${request.root.toString('base64url')}\n`);
          return answer;
        },
      },
    });

  /** Commits an act with its entry, or neither: every fifth changes its mind. */
  const act = async (i: number): Promise<string | undefined> => {
    const changesMind = i % 5 === 4;
    try {
      return await database.run(async (tx) => {
        const eventId = await journal.record(tx, {
          type: 'session.refused',
          usager: `usg_${i % 7}`,
          aidant: 'aid_1',
          service: 'impots',
          outcome: 'refused',
          detail: { reason: `${options.name} ${i}` },
        });
        await run(tx, sql`insert into acted (event_id, kept) values (${eventId}, ${!changesMind})`);
        if (changesMind) throw new Failure('changed_mind');
        return eventId;
      });
    } catch {
      return undefined;
    }
  };
  const produce = async (from: number): Promise<void> => {
    for (let i = from; !stopping; i += options.producers) {
      const eventId = await act(i);
      const receipt = eventId && (await journal.receipt(eventId, 10_000).catch(() => undefined));
      if (eventId && receipt) appendFileSync(options.acknowledged, `${eventId} ${receipt.index} ${receipt.leaf}\n`);
      await pause(eventId ? 2 : 20);
    }
  };
  const told = new Promise<void>((resolve) =>
    process.once('SIGTERM', () => {
      stopping = true;
      resolve();
    }),
  );
  process.stdout.write('ready\n');
  const alive = setInterval(() => undefined, 1000);
  await Promise.all(Array.from({ length: options.producers }, (_, i) => produce(i)));
  await told;
  clearInterval(alive);
  await sealing?.stop();
  await sequencer.stop();
  await database.close();
};

await main();
