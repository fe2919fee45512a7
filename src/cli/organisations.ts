import { AS_FLAGS, EXIT, type HouseCommand, JSON_FLAG, table } from './command.ts';
import { actorOf } from './operateur.ts';
import { refuse } from './refusals.ts';

const add: HouseCommand = {
  name: 'organisation add',
  where: 'house',
  summary: 'habilitate an organisation',
  flags: [
    { name: 'name', kind: 'text', value: 'NAME', help: 'its name, as usagers will read it', required: true },
    { name: 'siret', kind: 'text', value: 'SIRET', help: '14 digits', required: true },
    { name: 'theme', kind: 'list', value: 'THEME', help: 'what it is habilitated for', required: true },
    ...AS_FLAGS,
    JSON_FLAG,
  ],
  notes: ['Themes: papiers famille social travail logement transports argent justice etranger loisirs.'],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const actor = await actorOf(input, domain, io);
    if (typeof actor !== 'string') return refuse(io, actor, input.on('json'));
    const made = await domain.organisations.add({ name: input.must('name'), siret: input.must('siret'), themes: input.list('theme'), actor });
    if ('refused' in made) return refuse(io, made, input.on('json'));
    io.out(input.on('json') ? JSON.stringify(made.organisation) : `${made.organisation.name} is habilitated: ${made.organisation.id}`);
    return EXIT.done;
  },
};

const list: HouseCommand = {
  name: 'organisation list',
  where: 'house',
  summary: 'list the organisations',
  flags: [JSON_FLAG],
  run: async (input, context, io) => {
    const found = await (await context.domain()).organisations.list();
    const rows = found.map((it) => [it.id, it.siret, it.name, it.status, it.themes.join(' ')]);
    io.out(
      input.on('json')
        ? JSON.stringify(found)
        : table(['id', 'SIRET', 'name', 'status', 'themes'], rows, 'no organisation yet: `relais organisation add`'),
    );
    return EXIT.done;
  },
};

const suspend: HouseCommand = {
  name: 'organisation suspend',
  where: 'house',
  summary: 'suspend an organisation, at once',
  subject: { name: 'ID|SIRET', help: 'the organisation' },
  flags: [{ name: 'reason', kind: 'text', value: 'TEXT', help: 'why; goes into the journal', required: true }, ...AS_FLAGS, JSON_FLAG],
  notes: ['Its live delegated sessions end now and its mandates can no longer be used. Nothing is erased.'],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const actor = await actorOf(input, domain, io);
    if (typeof actor !== 'string') return refuse(io, actor, input.on('json'));
    const id = (await domain.organisations.find(input.subject))?.id ?? input.subject;
    const done = await domain.organisations.suspend(id, { reason: input.must('reason'), actor });
    if ('refused' in done) return refuse(io, done, input.on('json'));
    io.out(
      input.on('json')
        ? JSON.stringify({ id, sessions: done.sessions })
        : `${done.organisation.name} is suspended; ${done.sessions} delegated session(s) ended.`,
    );
    return EXIT.done;
  },
};

const end: HouseCommand = {
  name: 'organisation end',
  where: 'house',
  summary: 'end an organisation for good, with its mandates',
  subject: { name: 'ID|SIRET', help: 'the organisation' },
  flags: [{ name: 'reason', kind: 'text', value: 'TEXT', help: 'why; goes into the journal', required: true }, ...AS_FLAGS, JSON_FLAG],
  notes: ['Its delegated sessions stop now and its mandates end: this cannot be undone. To stop it for a while: `relais organisation suspend`.'],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const actor = await actorOf(input, domain, io);
    if (typeof actor !== 'string') return refuse(io, actor, input.on('json'));
    const id = (await domain.organisations.find(input.subject))?.id ?? input.subject;
    const done = await domain.organisations.end(id, { reason: input.must('reason'), actor });
    if ('refused' in done) return refuse(io, done, input.on('json'));
    io.out(
      input.on('json')
        ? JSON.stringify({ id, mandates: done.mandates })
        : `${done.organisation.name} has ended; ${done.mandates} mandate(s) ended with it.`,
    );
    return EXIT.done;
  },
};

const administrationAdd: HouseCommand = {
  name: 'administration add',
  where: 'house',
  summary: 'add an administration, which owns services and has agents',
  flags: [{ name: 'name', kind: 'text', value: 'NAME', help: 'its name', required: true }, ...AS_FLAGS, JSON_FLAG],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const actor = await actorOf(input, domain, io);
    if (typeof actor !== 'string') return refuse(io, actor, input.on('json'));
    const made = await domain.administrations.add({ name: input.must('name'), actor });
    if ('refused' in made) return refuse(io, made, input.on('json'));
    io.out(input.on('json') ? JSON.stringify(made.administration) : `${made.administration.name} is added: ${made.administration.id}`);
    return EXIT.done;
  },
};

const administrationList: HouseCommand = {
  name: 'administration list',
  where: 'house',
  summary: 'list the administrations',
  flags: [JSON_FLAG],
  run: async (input, context, io) => {
    const found = await (await context.domain()).administrations.list();
    io.out(
      input.on('json')
        ? JSON.stringify(found)
        : table(
            ['id', 'name'],
            found.map((it) => [it.id, it.name]),
            'no administration yet: `relais administration add`',
          ),
    );
    return EXIT.done;
  },
};

export const organisationCommands: readonly HouseCommand[] = [add, list, suspend, end, administrationAdd, administrationList];
