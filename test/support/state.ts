import type { World } from './world.ts';

/** Tables of the application, with their schema, read from the catalogue; of a divided one the whole, not its parts. */
export const tablesOf = async (world: World): Promise<string[]> =>
  (
    await world.sql(
      `select format('%I.%I', schemaname, tablename) as name from pg_tables where schemaname in ('public', 'journal')
        and not (select c.relispartition from pg_class c where c.oid = format('%I.%I', schemaname, tablename)::regclass) order by schemaname, tablename`,
    )
  ).map((found) => String(found['name']));

/** The codes of the last requests are written every two seconds, whoever asked: they are no state. */
const BESIDE = 'public.request_log';

/** How many rows each table holds, and a digest of them all. The journal is sequenced first, so that nothing moves by itself. */
export const stateOf = async (world: World, except: readonly string[] = []): Promise<Record<string, string>> => {
  await world.app.flushJournal();
  const tables = (await tablesOf(world)).filter((table) => table !== BESIDE && !except.includes(table));
  const [found] = await world.sql(
    `select ${tables
      .map((table, i) => `(select count(*) || ' ' || coalesce(md5(string_agg(md5(t::text), '' order by md5(t::text))), '') from ${table} t) as t${i}`)
      .join(', ')}`,
  );
  return Object.fromEntries(tables.map((table, i) => [table, String(found?.[`t${i}`])]));
};

/** Every row of every table as text, as one who steals the database reads it: `table`, then the row. Binary columns read as hexadecimal. */
export const dumpOf = async (world: World, except: readonly string[] = []): Promise<{ table: string; row: string }[]> => {
  await world.app.flushJournal();
  const tables = (await tablesOf(world)).filter((table) => !except.includes(table));
  const dumped: { table: string; row: string }[] = [];
  for (const table of tables)
    for (const found of await world.sql(`select t::text as row from ${table} t`)) dumped.push({ table, row: String(found['row']) });
  return dumped;
};

/** The ways in which a text may stand in a dump or a line of a log: as it is, as JSON or a URL writes it, as hexadecimal, as base64 at each of the three offsets. */
export const writingsOf = (text: string): string[] => {
  const bytes = Buffer.from(text);
  const shifted = [0, 1, 2].map((offset) => {
    const whole = Buffer.concat([Buffer.alloc(offset), bytes])
      .toString('base64')
      .replace(/=+$/, '');
    return whole.slice(offset ? 4 : 0, bytes.length < 6 ? undefined : -2); // the ends depend on what stands beside
  });
  const plain = [text, JSON.stringify(text).slice(1, -1), encodeURIComponent(text), bytes.toString('hex')];
  return [...new Set([...plain, ...shifted, ...shifted.map((part) => part.replaceAll('+', '-').replaceAll('/', '_'))])];
};
