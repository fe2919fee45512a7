import type { Approval } from '../approvals/approval.ts';
import { isId } from '../kernel/ids.ts';
import { readReason } from '../organisations/name.ts';
import { AS_FLAGS, EXIT, type HouseCommand, type Input, type Io, JSON_FLAG } from './command.ts';
import type { CommandContext } from './context.ts';
import { proveOperateur } from './operateur.ts';
import { refuse } from './refusals.ts';

/** What is true once somebody is erased, and from when (journal.md §3.8). */
const COMPLETE = [
  'What waited to be written today is sealed under a key of the day, destroyed within three days.',
  'The erasure is complete when the last backups that are older than today, of the key store and of the database, are gone: 30 days at most.',
];

/** Gives an erasure that another opérateur asked for; the same again finishes what a fault interrupted. */
export const giveErasure = async (approval: Approval, input: Input, context: CommandContext, io: Io): Promise<number> => {
  const domain = await context.domain();
  const actor = await proveOperateur(input, domain, io);
  if (typeof actor !== 'string') return refuse(io, actor, input.on('json'));
  const done = await domain.erasures.give(approval, actor);
  if ('refused' in done) return refuse(io, done, input.on('json'));
  if (input.on('json')) io.out(JSON.stringify(done));
  else if ('waits' in done)
    io.out('Erased. The journal has not written it yet: start an instance of Relais, which finishes within minutes, or run the same command again.');
  else io.out([`Erased: ${done.entries} entries of the journal can no longer be read; each still proves that it is there.`, ...COMPLETE].join('\n'));
  return EXIT.done;
};

const erase: HouseCommand = {
  name: 'journal erase',
  where: 'house',
  summary: 'erase a person, everywhere and for good; another opérateur approves',
  flags: [
    { name: 'usager', kind: 'text', value: 'ID', help: 'the person, when asking' },
    { name: 'ground', kind: 'text', value: 'WORD', help: 'the legal ground, when asking: a short word that names nobody, such as person-asked' },
    { name: 'reason', kind: 'text', value: 'TEXT', help: 'why; sealed in the journal under the person’s own key, which goes too' },
    { name: 'approve', kind: 'text', value: 'APPROVAL', help: 'as the second opérateur: erase; the same again finishes after a fault' },
    ...AS_FLAGS,
    JSON_FLAG,
  ],
  notes: ['Stop the person’s mandates first. What is erased and what is kept, and why: docs/retention.md.'],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const json = input.on('json');
    const approving = input.text('approve');
    if (approving !== undefined) {
      const approval = await domain.approvals.find(approving);
      return approval?.kind === 'erasure' ? giveErasure(approval, input, context, io) : refuse(io, { refused: 'unknown_approval' }, json);
    }
    const usagerId = input.text('usager') ?? '';
    if (!isId('usg', usagerId)) return refuse(io, { refused: 'unknown_usager' }, json);
    const given = input.text('reason');
    const reason = given === undefined ? undefined : readReason(given);
    if (given !== undefined && reason === undefined) return refuse(io, { refused: 'reason_malformed' }, json);
    const askedBy = await proveOperateur(input, domain, io);
    if (typeof askedBy !== 'string') return refuse(io, askedBy, json);
    const done = await domain.erasures.ask({ usagerId, ground: input.text('ground') ?? '', reason, askedBy });
    if ('refused' in done) return refuse(io, done, json);
    const { id, hash } = done.approval;
    io.out(
      json
        ? JSON.stringify({ approval: id, hash: hash.toString('hex') })
        : `It waits for a second opérateur; nothing is erased yet.\nNext, by another opérateur: relais journal erase --approve ${id} --as OPERATEUR`,
    );
    return EXIT.done;
  },
};

export const erasureCommands: readonly HouseCommand[] = [erase];
