import { isId } from '../kernel/ids.ts';
import { isTheme } from '../organisations/theme.ts';
import { AS_FLAGS, EXIT, type HouseCommand, JSON_FLAG } from './command.ts';
import { actorOf } from './operateur.ts';
import { refuse } from './refusals.ts';

/** What an opérateur decides about mandates and the people they name (product.md, "Rules of a mandate"). */

const end: HouseCommand = {
  name: 'mandate end',
  where: 'house',
  summary: 'end a mandate, or one theme of it, at once and for good',
  subject: { name: 'MANDATE', help: 'its id' },
  flags: [
    { name: 'theme', kind: 'text', value: 'THEME', help: 'only this theme; the mandate ends with its last one' },
    { name: 'reason', kind: 'text', value: 'TEXT', help: 'why; the person reads it', required: true },
    ...AS_FLAGS,
    JSON_FLAG,
  ],
  notes: ['The person reads who ended it and why. What was open under it stops now, and the services are told.'],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const actor = await actorOf(input, domain, io);
    if (typeof actor !== 'string') return refuse(io, actor, input.on('json'));
    const theme = input.text('theme');
    if (theme !== undefined && !isTheme(theme)) return refuse(io, { refused: 'themes_malformed' }, input.on('json'));
    const done = isId('man', input.subject)
      ? await domain.endings.endByOperateur(input.subject, { reason: input.must('reason'), actor }, theme)
      : { refused: 'unknown_mandate' };
    if ('refused' in done) return refuse(io, { refused: done.refused === 'not_found' ? 'unknown_mandate' : done.refused }, input.on('json'));
    const { mandate, again } = done;
    const left = mandate.themes.flatMap((each) => (each.endedAt ? [] : [each.theme]));
    io.out(
      input.on('json')
        ? JSON.stringify({ id: mandate.id, reference: mandate.reference, again, left })
        : `${mandate.reference} ${again ? 'had ended already: nothing changed' : left.length ? `goes on for: ${left.join(' ')}` : 'has ended'}.`,
    );
    return EXIT.done;
  },
};

const PROTECTIONS = ['death', 'guardianship'] as const;

const protect: HouseCommand = {
  name: 'usager protect',
  where: 'house',
  summary: 'record a death or a guardianship: every mandate of that person ends, and none can be made',
  subject: { name: 'USAGER', help: 'the id of the person' },
  flags: [{ name: 'because', kind: 'text', value: PROTECTIONS.join('|'), help: 'what was learnt', required: true }, ...AS_FLAGS, JSON_FLAG],
  notes: ['This cannot be undone. A death may follow a guardianship.'],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const actor = await actorOf(input, domain, io);
    if (typeof actor !== 'string') return refuse(io, actor, input.on('json'));
    const because = PROTECTIONS.find((each) => each === input.must('because'));
    if (!because) return refuse(io, { refused: 'protection_malformed' }, input.on('json'));
    const done = isId('usg', input.subject)
      ? await domain.endings.endOfPerson(input.subject, because, actor)
      : { refused: 'unknown_usager' as const };
    if ('refused' in done) return refuse(io, done, input.on('json'));
    io.out(
      input.on('json')
        ? JSON.stringify({ id: input.subject, ...done })
        : `${done.again ? 'It was known already. ' : ''}${done.ended} mandate(s) ended; none can be made for this person.`,
    );
    return EXIT.done;
  },
};

export const mandateCommands: readonly HouseCommand[] = [end, protect];
