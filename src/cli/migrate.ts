import { migrate } from '../persistence/migrate.ts';
import { EXIT, type HouseCommand, JSON_FLAG } from './command.ts';
import { refuse } from './refusals.ts';

/** Runs as the login's own user, not as an application's role: in production, as the owner of the tables. */
const migrateCommand: HouseCommand = {
  name: 'migrate',
  where: 'house',
  summary: 'bring the database up to date',
  flags: [JSON_FLAG],
  notes: [
    'Several may run at once: an advisory lock makes them wait for each other. In production DATABASE_URL is here the owner’s, and so is JOURNAL_KEYS_URL.',
  ],
  run: async (input, context, io) => {
    const applied = await migrate(context.database);
    if (context.keyDatabase) applied.push(...(await migrate(context.keyDatabase, undefined, 'key-store')).map((name) => `${name} (keys)`));
    io.out(input.on('json') ? JSON.stringify({ applied }) : applied.length ? `Applied: ${applied.join(', ')}` : 'The database is up to date.');
    return EXIT.done;
  },
};

const dbSql: HouseCommand = {
  name: 'db sql',
  where: 'house',
  summary: 'run SQL as the superuser of the embedded database (demonstration only)',
  subject: { name: 'SQL', help: 'one statement' },
  flags: [JSON_FLAG],
  notes: [
    'Made to tamper with the database and watch `relais journal verify` name what was changed. The tables of the journal have triggers that',
    'a superuser takes off: "alter table journal.leaf disable trigger all".',
  ],
  run: async (input, context, io) => {
    if (context.mode !== 'demonstration') return refuse(io, { refused: 'demonstration_only' }, input.on('json'));
    const rows = await context.database.asOwner((query) => query(input.subject));
    const readable = (value: unknown): unknown =>
      Buffer.isBuffer(value) || value instanceof Uint8Array ? `\\x${Buffer.from(value).toString('hex')}` : value;
    const shown = rows.map((row) => Object.fromEntries(Object.entries(row).map(([name, value]) => [name, readable(value)])));
    if (input.on('json')) io.out(JSON.stringify(shown));
    else for (const row of shown) io.out(JSON.stringify(row));
    if (!input.on('json')) io.out(`(${rows.length} row${rows.length === 1 ? '' : 's'})`);
    return EXIT.done;
  },
};

export const databaseCommands: readonly HouseCommand[] = [migrateCommand, dbSql];
