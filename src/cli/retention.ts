import type { Hold } from '../journal/holds.ts';
import type { Purged } from '../journal/retention.ts';
import { AS_FLAGS, EXIT, type HouseCommand, JSON_FLAG, table } from './command.ts';
import { proveOperateur } from './operateur.ts';
import { refuse } from './refusals.ts';

/** The same lines for what would be done and for what was done. */
const linesOf = ({ keys, held, queueDays, dropped, returned, rows }: Purged): string[] => [
  ...keys.map((one) => `key     ${one.class} ${one.month}: ${one.entries} sealed parts`),
  ...held.map((one) => `held    ${one.class} ${one.month}`),
  ...queueDays.map((day) => `key     queue ${day}`),
  ...dropped.map((one) => `parts   ${one.month}: ${one.entries} removed`),
  ...(returned ? [`key     ${returned} destroyed before, brought back by an older copy`] : []),
  ...Object.entries(rows).flatMap(([name, count]) => (count ? [`rows    ${name}: ${count}`] : [])),
];

const purge: HouseCommand = {
  name: 'journal purge',
  where: 'house',
  summary: 'erase what is due: keys of months that are over, their sealed parts, rows that have served',
  flags: [{ name: 'dry-run', kind: 'switch', help: 'say what a run would do, and do nothing' }, JSON_FLAG],
  notes: ['Instances do it each day by themselves, unless RELAIS_PURGE=off. How long what is kept: docs/retention.md.'],
  run: async (input, context, io) => {
    const { retention } = await context.domain();
    const dry = input.on('dry-run');
    const purged = await (dry ? retention.plan() : retention.run());
    const lines = linesOf(purged);
    if (input.on('json')) io.out(JSON.stringify(purged));
    else io.out([...lines, lines.length ? (dry ? 'Nothing was changed.' : 'Done.') : 'Nothing is due.'].join('\n'));
    return EXIT.done;
  },
};

const hold: HouseCommand = {
  name: 'journal hold',
  where: 'house',
  summary: 'keep what an authority asked for: nothing of it is erased before the hold is lifted',
  flags: [
    { name: 'usager', kind: 'text', value: 'ID', help: 'everything of one person' },
    { name: 'class', kind: 'text', value: 'CLASS', help: 'or one class of a month: access, staff, mandate or actor' },
    { name: 'month', kind: 'text', value: 'YYYY-MM', help: 'the month, with --class' },
    { name: 'ground', kind: 'text', value: 'WORD', help: 'the legal ground: a short word that names nobody', required: true },
    ...AS_FLAGS,
    JSON_FLAG,
  ],
  notes: ['The entry that says it is public and names nobody.'],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const by = await proveOperateur(input, domain, io);
    if (typeof by !== 'string') return refuse(io, by, input.on('json'));
    const asked = { usager: input.text('usager'), class: input.text('class'), month: input.text('month'), ground: input.must('ground'), by };
    const done = await domain.holds.place(asked);
    if ('refused' in done) return refuse(io, done, input.on('json'));
    io.out(input.on('json') ? JSON.stringify(done) : `Held. To lift it: relais journal release ${done.hold} --as OPERATEUR`);
    return EXIT.done;
  },
};

const release: HouseCommand = {
  name: 'journal release',
  where: 'house',
  summary: 'lift a hold: what is due goes with the next purge',
  subject: { name: 'HOLD', help: 'its id' },
  flags: [...AS_FLAGS, JSON_FLAG],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const by = await proveOperateur(input, domain, io);
    if (typeof by !== 'string') return refuse(io, by, input.on('json'));
    const done = await domain.holds.lift(input.subject, by);
    if ('refused' in done) return refuse(io, done, input.on('json'));
    io.out(input.on('json') ? JSON.stringify(done) : 'Lifted.');
    return EXIT.done;
  },
};

const of = ({ held }: Hold): string => ('usager' in held ? held.usager : `${held.class} ${held.month}`);

const list: HouseCommand = {
  name: 'journal holds',
  where: 'house',
  summary: 'list the holds that stand',
  flags: [JSON_FLAG],
  run: async (input, context, io) => {
    const found = await (await context.domain()).holds.list();
    const rows = found.map((it) => [it.id, of(it), it.ground, it.placedAt.toISOString()]);
    io.out(input.on('json') ? JSON.stringify(found) : table(['id', 'of', 'ground', 'since'], rows, 'nothing is held'));
    return EXIT.done;
  },
};

export const retentionCommands: readonly HouseCommand[] = [purge, hold, release, list];
