import type { OrganisationId } from '../kernel/ids.ts';
import { COLUMNS, type LineFault, MOST_LINES } from '../mandates/import.ts';
import type { Examined, ImportAsked } from '../mandates/imports.ts';
import { AS_FLAGS, EXIT, type HouseCommand, type Input, type Io, JSON_FLAG } from './command.ts';
import { proveOperateur } from './operateur.ts';
import { refuse } from './refusals.ts';

/** What is wrong with a line, and what to do. */
const FAULTS: Readonly<Record<LineFault, string>> = {
  columns_wrong: 'it has not as many columns as the first line: quote a value that holds the separator',
  quotes_wrong: 'a quotation mark stands alone, or the line is too long: double it inside a quoted value; nothing was read of the file',
  person_name_malformed:
    'a name is empty, too long, or holds anything but Latin letters, spaces, hyphens and apostrophes: write it as on the identity card',
  birthdate_malformed: 'write a date of birth that exists, 12/04/1946 or 1946-04-12',
  birth_code_malformed: "write INSEE's code of five signs, such as 17415, or 99350 for another country",
  gender_malformed: 'write F or M',
  themes_malformed: 'write one or more of the ten themes, with | between them',
  days_malformed: 'write 1, 31, 182 or 365',
  date_malformed: 'write a day that exists, 03/03/2026 or 2026-03-03',
  signed_in_future: 'it was signed after today: correct the date',
  already_ended: 'it has ended: leave the line out, or make a new mandate with the person',
  aidant_missing: 'say who accepted it, in the column aidant or with --by',
  aidant_unknown: 'no aidant of this organisation has this address',
  witness_unknown: 'no aidant of this organisation has the address of the witness',
  witness_is_aidant: 'the witness must be another aidant',
  witness_is_person: 'the witness has the name of the person',
  aidant_suspended: 'the aidant or the witness is suspended',
  organisation_suspended: 'the organisation is suspended',
  theme_not_covered: 'the aidant or the organisation is not habilitated for one of these themes',
  minor: 'the person is under 18: no mandate can be made',
  self_dealing: 'the aidant has the name of the person',
  protected_person: 'the person is under guardianship: no mandate can be made',
  person_deceased: 'the death of this person was declared: no mandate can be made',
  person_known: 'the organisation knows this person in Relais: make the mandate there, with the person',
  grant_exists:
    'the person has a mandate with this organisation for one of these themes, or has stopped one since: an import replaces none and brings none back',
};

const tell = (examined: Examined, input: Input, io: Io): void => {
  if (input.on('json')) return;
  for (const { line, column, code } of examined.faults) io.err(`line ${line}${column ? `, ${column}` : ''}: ${code}: ${FAULTS[code]}`);
  if (examined.known.length) io.out(`Skipped, imported before: ${examined.known.length} (line ${examined.known.slice(0, 20).join(', ')}).`);
};

const say = (input: Input, io: Io, examined: Examined, more: Readonly<Record<string, unknown>>, text: string): number => {
  io.out(input.on('json') ? JSON.stringify({ ...examined, ...more }) : text);
  return EXIT.done;
};

const load: HouseCommand = {
  name: 'mandates import',
  where: 'house',
  summary: 'import mandates signed on paper before Relais; another opérateur approves the same file',
  subject: { name: 'FILE', help: 'CSV in UTF-8, with ; or , (docs/import.md)' },
  flags: [
    { name: 'organisation', kind: 'text', value: 'ID|SIRET', help: 'the organisation that holds the mandates', required: true },
    { name: 'by', kind: 'text', value: 'EMAIL', help: 'the aidant who accepted the lines that name none' },
    { name: 'dry-run', kind: 'switch', help: 'say what the file would make, and make nothing' },
    { name: 'keep-going', kind: 'switch', help: 'import the good lines of a file that has bad ones; otherwise one bad line stops all' },
    { name: 'approve', kind: 'text', value: 'APPROVAL', help: 'as the second opérateur: import the file that was asked for' },
    ...AS_FLAGS,
    JSON_FLAG,
  ],
  notes: [
    `Columns: ${COLUMNS.join(', ')} (used_name and aidant may be left out). At most ${MOST_LINES} lines.`,
    'All the lines are imported in one transaction, or none is. A line that was imported before is skipped. No mandate that stands is replaced.',
  ],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const asked = input.must('organisation');
    const organisation = (await domain.organisations.list()).find(({ id, siret }) => id === asked || siret === asked);
    if (!organisation) return refuse(io, { refused: 'unknown_organisation' }, input.on('json'));
    const file: ImportAsked = {
      organisationId: organisation.id as OrganisationId,
      text: await io.read(input.subject),
      by: input.text('by'),
      keepGoing: input.on('keep-going'),
    };
    const failed = (answer: { readonly refused: string; readonly examined?: Examined }): number => {
      if (answer.examined) tell(answer.examined, input, io);
      return refuse(io, answer, input.on('json'));
    };
    if (input.on('dry-run')) {
      const found = await domain.imports.examine(file);
      if ('refused' in found) return failed(found);
      tell(found.examined, input, io);
      const { ready, faults } = found.examined;
      const code = say(input, io, found.examined, {}, `${ready} mandate(s) would be imported; ${faults.length} fault(s). Nothing was changed.`);
      return faults.length && !file.keepGoing ? EXIT.refused : code;
    }
    const actor = await proveOperateur(input, domain, io);
    if (typeof actor !== 'string') return refuse(io, actor, input.on('json'));
    const approval = input.text('approve');
    if (approval === undefined) {
      const done = await domain.imports.ask(file, actor);
      if ('refused' in done) return failed(done);
      tell(done.examined, input, io);
      const hash = done.approval.hash.toString('hex');
      return say(
        input,
        io,
        done.examined,
        { approval: done.approval.id, hash },
        `${done.examined.ready} mandate(s) wait for a second opérateur; nothing was imported yet.\n  fingerprint  ${hash}\nNext, by another opérateur, with the same file and options: relais mandates import FILE --organisation ${organisation.id} --approve ${done.approval.id} --as OPERATEUR`,
      );
    }
    const done = await domain.imports.approve(file, approval, actor);
    if ('refused' in done) return failed(done);
    tell(done.examined, input, io);
    return say(input, io, done.examined, {}, `${done.examined.ready} mandate(s) imported.`);
  },
};

export const importCommands: readonly HouseCommand[] = [load];
