import type { Dossier } from '../aidants/aidant.ts';
import type { StaffRefusal } from '../aidants/aidants.ts';
import type { Invitation } from '../aidants/enrolment.ts';
import { AS_FLAGS, EXIT, type Flag, type HouseCommand, type Input, type Io, JSON_FLAG, table } from './command.ts';
import type { CommandContext } from './context.ts';
import { actorOf } from './operateur.ts';
import { refuse } from './refusals.ts';

/** Commands on people: aidants, agents, opérateurs. All are invited by a one-time link, and enrol in their browser. */

const PERSON: readonly Flag[] = [
  { name: 'given-name', kind: 'text', value: 'NAME', help: 'given name', required: true },
  { name: 'family-name', kind: 'text', value: 'NAME', help: 'family name', required: true },
  { name: 'email', kind: 'text', value: 'ADDRESS', help: 'where the enrolment link goes; never who they are', required: true },
];
const PRINT_LINK: Flag = { name: 'print-link', kind: 'switch', help: 'print the enrolment link even if it was sent' };

const person = (input: Input, actor: string) => ({
  givenName: input.must('given-name'),
  familyName: input.must('family-name'),
  email: input.must('email'),
  actor,
});

const tell = (made: Invitation | { readonly refused: string }, input: Input, context: CommandContext, io: Io): number => {
  if ('refused' in made) return refuse(io, made, input.on('json'));
  const link = context.deliver === undefined || input.on('print-link') ? context.enrolmentUrl(made.token) : undefined;
  if (input.on('json'))
    io.out(JSON.stringify({ id: made.staff.id, expiresAt: made.expiresAt.toISOString(), ...(link === undefined ? {} : { link }) }));
  else {
    io.out(`${made.staff.givenName} ${made.staff.familyName} is invited: ${made.staff.id}`);
    io.out(
      link === undefined
        ? `The enrolment link was sent to ${made.staff.email}.`
        : `Enrolment link, for one use until ${made.expiresAt.toISOString()}:\n  ${link}`,
    );
  }
  return EXIT.done;
};

const organisationOf = async (context: CommandContext, input: Input): Promise<string> =>
  (await (await context.domain()).organisations.find(input.must('organisation')))?.id ?? input.must('organisation');

const habilitation = async (context: CommandContext, input: Input, actor: string) => ({
  organisationId: await organisationOf(context, input),
  referent: input.on('referent'),
  actor,
  ...(input.list('theme').length ? { themes: input.list('theme') } : {}),
});

const aidantAdd: HouseCommand = {
  name: 'aidant add',
  where: 'house',
  summary: 'habilitate an aidant in an organisation, and invite them',
  flags: [
    { name: 'organisation', kind: 'text', value: 'ID|SIRET', help: 'the organisation', required: true },
    ...PERSON.map(({ required: _, ...flag }) => flag),
    { name: 'id', kind: 'text', value: 'AIDANT', help: 'an aidant who exists: only adds the membership' },
    { name: 'theme', kind: 'list', value: 'THEME', help: 'what they may do there; all the themes of the organisation if left out' },
    { name: 'referent', kind: 'switch', help: 'leads the aidants of this organisation' },
    PRINT_LINK,
    ...AS_FLAGS,
    JSON_FLAG,
  ],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const actor = await actorOf(input, domain, io);
    if (typeof actor !== 'string') return refuse(io, actor, input.on('json'));
    const given = await habilitation(context, input, actor);
    const id = input.text('id');
    if (id === undefined) return tell(await domain.aidants.invite({ ...person(input, actor), ...given }, context.deliver), input, context, io);
    const joined = await domain.aidants.join(id, given);
    if ('refused' in joined) return refuse(io, joined, input.on('json'));
    io.out(input.on('json') ? JSON.stringify({ id, joined: true }) : `${id} is a member.`);
    return EXIT.done;
  },
};

const aidantRemove: HouseCommand = {
  name: 'aidant remove',
  where: 'house',
  summary: 'take an aidant out of an organisation, or out of all, at once',
  subject: { name: 'AIDANT', help: 'id of the aidant' },
  flags: [
    { name: 'organisation', kind: 'text', value: 'ID|SIRET', help: 'the organisation; suspended everywhere if left out' },
    { name: 'reason', kind: 'text', value: 'TEXT', help: 'why; goes into the journal', required: true },
    ...AS_FLAGS,
    JSON_FLAG,
  ],
  notes: ['Live delegated sessions end now. The mandates stay with the organisation.'],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const actor = await actorOf(input, domain, io);
    if (typeof actor !== 'string') return refuse(io, actor, input.on('json'));
    const by = { reason: input.must('reason'), actor };
    const removed =
      input.text('organisation') === undefined
        ? await domain.aidants.suspend(input.subject, by)
        : await domain.aidants.remove(input.subject, await organisationOf(context, input), by);
    if ('refused' in removed) return refuse(io, removed, input.on('json'));
    io.out(
      input.on('json')
        ? JSON.stringify({ id: input.subject, ...removed })
        : `${input.subject} is out; ${removed.sessions} delegated session(s) ended.`,
    );
    return EXIT.done;
  },
};

const placesOf = (dossier: Dossier): string =>
  dossier.administration?.name ??
  dossier.memberships
    .map((it) => `${it.organisation.name}${it.referent ? ' (référent)' : ''}${it.status === 'active' ? '' : ` [${it.status}]`}`)
    .join('; ');

const list = (name: string, kind: 'aidant' | 'agent' | 'operateur', summary: string): HouseCommand => ({
  name,
  where: 'house',
  summary,
  flags: [JSON_FLAG],
  run: async (input, context, io) => {
    const dossiers = await (await context.domain()).aidants.list(kind);
    const rows = dossiers.map((it) => [it.staff.id, `${it.staff.givenName} ${it.staff.familyName}`, it.staff.email, it.staff.status, placesOf(it)]);
    io.out(input.on('json') ? JSON.stringify(dossiers) : table(['id', 'name', 'e-mail', 'status', 'where'], rows, 'nobody yet'));
    return EXIT.done;
  },
});

const agentAdd: HouseCommand = {
  name: 'agent add',
  where: 'house',
  summary: 'invite an agent of an administration',
  flags: [
    { name: 'administration', kind: 'text', value: 'ID|NAME', help: 'the administration', required: true },
    ...PERSON,
    { name: 'integrator', kind: 'switch', help: 'looks after the services of the administration, and does not read its journal' },
    PRINT_LINK,
    ...AS_FLAGS,
    JSON_FLAG,
  ],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const actor = await actorOf(input, domain, io);
    if (typeof actor !== 'string') return refuse(io, actor, input.on('json'));
    const role = input.on('integrator') ? 'integrator' : 'reader';
    const asked = input.must('administration');
    const administrationId = (await domain.administrations.list()).find((it) => it.name === asked)?.id ?? asked;
    return tell(await domain.administrations.addAgent({ ...person(input, actor), administrationId, role }, context.deliver), input, context, io);
  },
};

const operatorAdd: HouseCommand = {
  name: 'operator add',
  where: 'house',
  summary: 'invite an opérateur; the first one comes only from here',
  flags: [...PERSON, PRINT_LINK, ...AS_FLAGS, JSON_FLAG],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const actor = await actorOf(input, domain, io);
    if (typeof actor !== 'string') return refuse(io, actor, input.on('json'));
    return tell(await domain.aidants.inviteOperateur(person(input, actor), context.deliver), input, context, io);
  },
};

const invite: HouseCommand = {
  name: 'staff invite',
  where: 'house',
  summary: 'make a new enrolment link for somebody who has not enrolled',
  flags: [{ name: 'id', kind: 'text', value: 'ID', help: 'who; their former link stops working', required: true }, PRINT_LINK, JSON_FLAG],
  run: async (input, context, io) => {
    const made: Invitation | { readonly refused: StaffRefusal } = await (await context.domain()).aidants.reinvite(input.must('id'), context.deliver);
    return tell(made, input, context, io);
  },
};

const reinstate: HouseCommand = {
  name: 'staff reinstate',
  where: 'house',
  summary: 'let somebody who is suspended come back: new means, by a new enrolment link',
  flags: [
    { name: 'id', kind: 'text', value: 'ID', help: 'who; the means they had stop working', required: true },
    { name: 'reason', kind: 'text', value: 'TEXT', help: 'why; goes into the journal', required: true },
    PRINT_LINK,
    ...AS_FLAGS,
    JSON_FLAG,
  ],
  notes: ['They enrol with the ProConnect account that they had.'],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const actor = await actorOf(input, domain, io);
    if (typeof actor !== 'string') return refuse(io, actor, input.on('json'));
    return tell(await domain.aidants.reinstate(input.must('id'), { reason: input.must('reason'), actor }, context.deliver), input, context, io);
  },
};

export const peopleCommands: readonly HouseCommand[] = [
  aidantAdd,
  aidantRemove,
  list('aidant list', 'aidant', 'list the aidants and where they are habilitated'),
  agentAdd,
  list('agent list', 'agent', 'list the agents of administrations'),
  operatorAdd,
  list('operator list', 'operateur', 'list the opérateurs'),
  invite,
  reinstate,
];
