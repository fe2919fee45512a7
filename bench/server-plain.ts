import Fastify from 'fastify';
import pg from 'pg';
import { argument, serve } from './server.ts';

/** What the framework alone can do: an answer without work, and one row by its primary key. */

const { databaseUrl } = argument<{ databaseUrl: string }>();
const counts = { statements: 0, commits: 0 };
const pool = new pg.Pool({ connectionString: databaseUrl, max: 10 });
await pool.query('create table if not exists plain (id text primary key, payload jsonb not null)');
await pool.query(`insert into plain (id, payload) values ('one', '{"active": true, "scope": "openid", "exp": 1}') on conflict do nothing`);

const app = Fastify();
app.get('/', async () => ({ hello: 'world' }));
app.get<{ Params: { id: string } }>('/row/:id', async (request) => {
  counts.statements++;
  const { rows } = await pool.query<{ id: string; payload: object }>({
    name: 'row',
    text: 'select id, payload from plain where id = $1',
    values: [request.params.id],
  });
  return rows[0]?.payload ?? {};
});

/** Inserts hundreds of rows, each hundred one statement and one commit, `lanes` at a time: what PostgreSQL itself takes. */
const insert = async ({ lanes, ms }: { lanes: number; ms: number }): Promise<{ perSecond: number }> => {
  await pool.query(
    'create table if not exists plain_act (service_id text, source text, event_key text, body_hash bytea, session_id text, event_id uuid, received_at timestamptz, primary key (service_id, source, event_key))',
  );
  const tuples = Array.from({ length: 100 }, (_, i) => `(${[1, 2, 3, 4, 5, 6, 7].map((column) => `$${i * 7 + column}`).join(', ')})`).join(', ');
  const text = `insert into plain_act (service_id, source, event_key, body_hash, session_id, event_id, received_at) values ${tuples}`;
  const from = performance.now();
  let done = 0;
  await Promise.all(
    Array.from({ length: lanes }, async () => {
      while (performance.now() - from < ms) {
        const values = Array.from({ length: 100 }, () => [
          'bench',
          'https://bench.example/',
          crypto.randomUUID(),
          Buffer.alloc(32, 7),
          'dls_00000000000000000000000000',
          crypto.randomUUID(),
          new Date(),
        ]).flat();
        await pool.query({ name: 'hundred', text, values });
        done += 100;
      }
    }),
  );
  return { perSecond: done / ((performance.now() - from) / 1000) };
};

const address = await app.listen({ host: '127.0.0.1', port: 0 });
serve(
  address,
  () => ({ ...counts }),
  { insert },
  async () => {
    await app.close();
    await pool.end();
  },
);
