import pg from 'pg';
import type { Entry } from '../src/journal/event.ts';
import { verifierOf } from '../src/journal/note.ts';
import { createPublishedLog } from '../src/journal/published.ts';
import { openSigner } from '../src/journal/signer.ts';
import { verify } from '../src/journal/verify.ts';
import { systemClock } from '../src/kernel/clock.ts';
import { makePrivateKeyPem, publicKeyOf, randomBytes, readPrivateKey, sha256 } from '../src/kernel/crypto.ts';
import { openPostgres } from '../src/persistence/database.ts';
import { createJournal, readOrigin } from '../src/persistence/journal.ts';
import { openKeyStore } from '../src/persistence/journal-keys.ts';
import { logStore } from '../src/persistence/journal-published.ts';
import { startSealing } from '../src/persistence/journal-sealing.ts';
import { startSequencer } from '../src/persistence/journal-sequencer.ts';
import { journalSource } from '../src/persistence/journal-source.ts';
import { migrate } from '../src/persistence/migrate.ts';
import { argument, serve } from './server.ts';

/** The journal alone, as one instance that leads: producers, sequencer, sealing and signer in this process. */

const { databaseUrl, folder } = argument<{ databaseUrl: string; folder: string }>();
const database = await openPostgres(databaseUrl, { max: 16 });
await migrate(database);
const clock = systemClock;
const origin = await readOrigin(database, 'bench.example');
const macKey = randomBytes(32);
const keys = await openKeyStore({ database, kek: randomBytes(32), clock });
const privateKeyPem = makePrivateKeyPem('ed25519');
const lead = () => startSequencer({ database, macKey, keys, clock, onAlarm: (alarm) => console.error(alarm) });
let sequencer = lead();
const signer = openSigner({ folder, privateKeyPem });
const leading = { leading: () => sequencer.leading() };
const sealing = startSealing({
  database,
  sequencer: leading,
  signer: { sign: async (request) => signer.sign(origin, request), vkey: async () => signer.vkey(origin), close: async () => undefined },
  clock,
});
const journal = () => createJournal({ transactions: database, keys, macKey, origin, writer: 'app', clock, sequencer });
let writing = journal();
const plain = new pg.Pool({ connectionString: databaseUrl, max: 16 });
await plain.query(`create table chain_head (hash bytea not null); insert into chain_head values ('\\x00');
  create table chain (id bigint generated always as identity primary key, hash bytea not null, body bytea not null);
  create table plain_entry (id bigint generated always as identity primary key, body bytea not null)`);

/** An act as a service reports it, of people who come back: long names, every party. */
const entryOf = (i: number): Entry => ({
  type: 'action.reported',
  usager: `usg_${String(i % 5000).padStart(26, '0')}`,
  aidant: `aid_${String(i % 200).padStart(26, '0')}`,
  organisation: `org_${String(i % 100).padStart(26, '0')}`,
  administration: `adm_${String(i % 10).padStart(26, '0')}`,
  mandate: `man_${String(i % 5000).padStart(26, '0')}`,
  session: `dls_${String(i % 20_000).padStart(26, '0')}`,
  service: `svc-allocations-${i % 20}`,
  theme: 'logement',
  demarche: 'allocations.demande-logement',
  verb: 'declare',
  outcome: 'accepted',
  detail: {
    aidantName: 'Marie-Antoinette',
    organisationName: 'Centre communal d’action sociale de Thénac-sur-Charente',
    serviceName: 'Allocations familiales de la Charente-Maritime',
    demarcheLabel: 'votre demande d’aide au logement',
    demarcheLabelEn: 'your housing benefit application',
    reference: `AL-2026-${String(i).padStart(9, '0')}`,
    at: new Date().toISOString(),
    outsideMandate: false,
  },
});

let written = 0;

/** `lanes` producers, each waiting for its receipt before the next; `inside` a transaction of its own, as a use case writes with what it decides. */
const producers = async ({ lanes, ms, inside }: { lanes: number; ms: number; inside?: boolean }) => {
  const times: number[] = [];
  const from = performance.now();
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (performance.now() - from < ms) {
        const at = performance.now();
        const entry = entryOf(written++);
        const id = await (inside ? database.run((tx) => writing.record(tx, entry)) : writing.record(database.auto, entry));
        if (!(await writing.receipt(id, 60_000))) throw new Error('no receipt');
        times.push(performance.now() - at);
      }
    }),
  );
  return { perSecond: times.length / ((performance.now() - from) / 1000), times };
};

/** So many a second, whatever the answers: acknowledgement, then until a signed checkpoint covers the entry. */
const rate = async ({ perSecond, ms }: { perSecond: number; ms: number }) => {
  const times: number[] = [];
  const sealedAfter: number[] = [];
  const waiting: { index: number; at: number }[] = [];
  const watch = setInterval(async () => {
    const sealed = (await plain.query<{ size: string }>('select coalesce(max(size), 0) as size from journal.checkpoint')).rows[0]?.size ?? 0;
    const now = performance.now();
    for (let i = waiting.length - 1; i >= 0; i--) {
      const one = waiting[i];
      if (!one || one.index >= Number(sealed)) continue;
      sealedAfter.push(now - one.at);
      waiting.splice(i, 1);
    }
  }, 20);
  const from = performance.now();
  const calls: Promise<void>[] = [];
  for (let sent = 0; performance.now() - from < ms; ) {
    for (const due = ((performance.now() - from) * perSecond) / 1000; sent < due; sent++)
      calls.push(
        (async () => {
          const at = performance.now();
          const receipt = await writing.receipt(await writing.record(database.auto, entryOf(written++)), 60_000);
          times.push(performance.now() - at);
          if (receipt) waiting.push({ index: receipt.index, at: performance.now() });
        })(),
      );
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  await Promise.all(calls);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  clearInterval(watch);
  return { times, sealedAfter };
};

/** The sequencer alone, on a queue that is full already. */
const drain = async ({ count }: { count: number }) => {
  await sequencer.stop();
  const filling = createJournal({ transactions: database, keys, macKey, origin, writer: 'app', clock });
  for (let done = 0; done < count; done += 1000)
    await database.run((tx) =>
      filling.recordAll(
        tx,
        Array.from({ length: Math.min(1000, count - done) }, () => ({ entry: entryOf(written++) })),
      ),
    );
  sequencer = lead();
  writing = journal();
  while (!sequencer.leading()) await new Promise((resolve) => setTimeout(resolve, 1));
  const from = performance.now();
  await sequencer.flush(600_000);
  return { perSecond: count / ((performance.now() - from) / 1000) };
};

const lanesOf = async ({ lanes, ms }: { lanes: number; ms: number }, work: (client: pg.PoolClient) => Promise<void>) => {
  const from = performance.now();
  let done = 0;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (performance.now() - from < ms) {
        const client = await plain.connect();
        try {
          await work(client);
        } finally {
          client.release();
        }
        done++;
      }
    }),
  );
  return { perSecond: done / ((performance.now() - from) / 1000) };
};

const body = randomBytes(700);

/** What is usually built: each row holds the hash of the one before, so that writers wait for each other. */
const chain = (options: { lanes: number; ms: number }) =>
  lanesOf(options, async (client) => {
    await client.query('begin');
    const { rows } = await client.query<{ hash: Buffer }>('select hash from chain_head for update');
    const hash = sha256(rows[0]?.hash ?? '', body);
    await client.query({ name: 'chain', text: 'insert into chain (hash, body) values ($1, $2)', values: [hash, body] });
    await client.query({ name: 'head', text: 'update chain_head set hash = $1', values: [hash] });
    await client.query('commit');
  });

/** What PostgreSQL takes: as many bytes, one row and one commit each, and no proof of anything. */
const insert = (options: { lanes: number; ms: number }) =>
  lanesOf(options, async (client) => {
    await client.query({ name: 'plain', text: 'insert into plain_entry (body) values ($1)', values: [body] });
  });

const proofs = async ({ ms }: { ms: number }) => {
  await sealing.seal();
  const log = createPublishedLog(logStore(database.auto));
  const size = (await plain.query<{ size: string }>('select max(size) as size from journal.checkpoint')).rows[0]?.size ?? '0';
  const of = Number(size);
  const one = async (): Promise<number> => {
    const at = performance.now();
    const proof = await log.inclusion(Math.floor(Math.random() * of), of);
    if ('refused' in proof) throw new Error(proof.refused);
    return performance.now() - at;
  };
  const cold: number[] = [];
  for (let i = 0; i < 2000; i++) cold.push(await one());
  const from = performance.now();
  const times: number[] = [];
  while (performance.now() - from < ms) times.push(await one());
  return { perSecond: times.length / ((performance.now() - from) / 1000), times, cold: cold.slice(0, 50), size: of };
};

const check = async ({ withKeys }: { withKeys: boolean }) => {
  await sequencer.flush();
  await sealing.seal();
  const from = performance.now();
  const before = process.cpuUsage();
  const report = await verify({
    source: journalSource(database),
    origin,
    trusted: [verifierOf(origin, publicKeyOf(readPrivateKey(privateKeyPem)))],
    ...(withKeys ? { keys: (asked) => keys.load(database.auto, asked) } : {}),
  });
  if (!report.ok) throw new Error(JSON.stringify(report.faults[0]));
  const used = process.cpuUsage(before);
  return { entries: report.checked, seconds: (performance.now() - from) / 1000, cpu: (used.user + used.system) / 1e6 };
};

const size = async () => {
  await sequencer.flush();
  await plain.query('vacuum analyze');
  const { rows } = await plain.query<{ name: string; bytes: string }>(
    `select case when c.relname ~ '^(leaf|payload)_' then split_part(c.relname, '_', 1) else c.relname end as name, sum(pg_total_relation_size(c.oid)) as bytes
     from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname in ('journal', 'journal_keys') and c.relkind = 'r' group by 1 order by 2 desc`,
  );
  const [head] = (await plain.query<{ size: string }>('select size from journal.head')).rows;
  return { entries: Number(head?.size), tables: rows.map((row) => ({ name: row.name, bytes: Number(row.bytes) })) };
};

serve(
  'journal',
  () => ({ statements: database.statistics.statements + database.statistics.background, commits: database.statistics.commits }),
  { producers, rate, drain, chain, insert, proofs, check, size },
  async () => {
    await sealing.stop();
    await sequencer.stop();
    await plain.end();
    await database.close();
  },
);
