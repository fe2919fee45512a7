import type { Approval } from '../approvals/approval.ts';
import { readReason } from '../organisations/name.ts';
import type { Compared } from '../usagers/reviews.ts';
import type { CivilIdentity } from '../usagers/usager.ts';
import { AS_FLAGS, EXIT, type HouseCommand, type Input, type Io, JSON_FLAG, table } from './command.ts';
import type { CommandContext } from './context.ts';
import { proveOperateur } from './operateur.ts';
import { refuse } from './refusals.ts';

/** Identities that FranceConnect gives with other civil traits than those that are known: two opérateurs look. */

const waiting: HouseCommand = {
  name: 'usager identities',
  where: 'house',
  summary: 'list the people whose civil identity has changed at FranceConnect, and who wait for two opérateurs',
  flags: [JSON_FLAG],
  run: async (input, context, io) => {
    const found = await (await context.domain()).reviews.waiting();
    const rows = found.map((it) => [it.usagerId, it.seenAt.toISOString(), it.traits.join(', '), it.reason === undefined ? '' : 'asked']);
    io.out(input.on('json') ? JSON.stringify(found) : table(['id', 'seen', 'what differs', ''], rows, 'nobody waits'));
    return EXIT.done;
  },
};

const TRAITS: readonly (readonly [keyof CivilIdentity, string])[] = [
  ['givenName', 'given names'],
  ['familyName', 'birth name'],
  ['preferredUsername', 'name in use'],
  ['gender', 'gender'],
  ['birthdate', 'birth date'],
  ['birthplace', 'birth place'],
  ['birthcountry', 'birth country'],
];

const both = ({ before, after, fingerprint }: Compared): string =>
  [
    table(
      ['', 'known', 'given by FranceConnect', ''],
      TRAITS.map(([trait, name]) => [name, before[trait] ?? '', after[trait] ?? '', before[trait] === after[trait] ? '' : 'differs']),
      '',
    ),
    `Fingerprint of this change: ${fingerprint}`,
  ].join('\n');

const accept = async (approval: Approval, input: Input, context: CommandContext, io: Io): Promise<number> => {
  const domain = await context.domain();
  const json = input.on('json');
  const by = await proveOperateur(input, domain, io);
  if (typeof by !== 'string') return refuse(io, by, json);
  const shown = await domain.reviews.look(approval);
  const fingerprint = input.text('fingerprint');
  if (fingerprint === undefined) {
    if ('refused' in shown) return refuse(io, shown, json);
    io.out(
      json
        ? JSON.stringify(shown)
        : `${both(shown)}\nNothing is changed yet. Compare with the person’s papers; then, to accept: the same with --fingerprint ${shown.fingerprint}`,
    );
    return EXIT.done;
  }
  if (!('refused' in shown) && shown.fingerprint !== fingerprint) return refuse(io, { refused: 'fingerprint_differs' }, json);
  const done = await domain.reviews.give(approval, by);
  if ('refused' in done) return refuse(io, done, json);
  io.out(json ? JSON.stringify(done) : `Accepted: ${done.accepted} has the new identity. The person is told, and signs in as before.`);
  return EXIT.done;
};

const acceptIdentity: HouseCommand = {
  name: 'usager accept-identity',
  where: 'house',
  summary: 'accept the new civil identity of a person; another opérateur approves, and both read the old and the new',
  flags: [
    { name: 'usager', kind: 'text', value: 'ID', help: 'the person, when asking: see `relais usager identities`' },
    { name: 'reason', kind: 'text', value: 'TEXT', help: 'what was seen, when asking; the person reads it' },
    { name: 'approve', kind: 'text', value: 'APPROVAL', help: 'as the second opérateur: shows both identities' },
    { name: 'fingerprint', kind: 'text', value: 'HEX', help: 'as the second opérateur, once both were read: accept this change' },
    ...AS_FLAGS,
    JSON_FLAG,
  ],
  notes: [
    'Accept only what the person proves: somebody else may have come to this account. What is not accepted within 30 days is forgotten.',
    'Mandates already given do not change: their texts and attestations keep the name of their day.',
  ],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const json = input.on('json');
    const approving = input.text('approve');
    if (approving !== undefined) {
      const approval = await domain.approvals.find(approving);
      return approval?.kind === 'identity' ? accept(approval, input, context, io) : refuse(io, { refused: 'unknown_approval' }, json);
    }
    const reason = readReason(input.text('reason') ?? '');
    if (reason === undefined) return refuse(io, { refused: 'reason_malformed' }, json);
    const askedBy = await proveOperateur(input, domain, io);
    if (typeof askedBy !== 'string') return refuse(io, askedBy, json);
    const asked = await domain.reviews.ask({ usagerId: input.text('usager') ?? '', reason, askedBy });
    if ('refused' in asked) return refuse(io, asked, json);
    const { id } = asked.approval;
    io.out(
      json
        ? JSON.stringify({ approval: id, before: asked.before, after: asked.after, fingerprint: asked.fingerprint })
        : `${both(asked)}\nIt waits for a second opérateur; nothing is changed yet.\nNext, by another opérateur: relais usager accept-identity --approve ${id} --as OPERATEUR`,
    );
    return EXIT.done;
  },
};

export const identityCommands: readonly HouseCommand[] = [waiting, acceptIdentity];
