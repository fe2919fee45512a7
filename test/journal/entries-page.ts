import { readFileSync, writeFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type EventType, KINDS, type Kind, PARTY_VIEWS } from '../../src/journal/event.ts';
import type { Field, Shape, Viewer } from '../../src/journal/schema.ts';
import { sentence } from '../../src/web/i18n/sentence.ts';
import { sampleEntries } from '../web/views-entries.ts';

/** Writes `docs/journal-entries.md` from the closed set (`npm run docs:entries`); a test compares the two. */

const PAGE = resolve(import.meta.dirname, '../../docs/journal-entries.md');

const VIEWS: readonly (readonly [Viewer, string])[] = [
  ['usager', 'usager'],
  ['administration', 'administration'],
  ['organisation', 'structure'],
];
const namesOf = (seen: readonly Viewer[]): string => VIEWS.flatMap(([viewer, name]) => (seen.includes(viewer) ? [name] : [])).join(', ') || '–';

const RETENTION: Readonly<Record<Kind['retention'], string>> = {
  access: '12 months',
  mandate: 'end of the mandate + 5 years',
  staff: '3 years',
  log: 'as long as the log',
};

const shapeOf = (shape: Shape): string => {
  switch (shape.is) {
    case 'choice':
      return shape.of.map((word) => `\`${word}\``).join(' or ');
    case 'list':
      return `list of ${shapeOf(shape.item)}`;
    case 'decider':
      return 'who decided (a view reads what kind of person, not who)';
    case 'flag':
      return 'yes or no';
    case 'number':
      return 'whole number';
    default:
      return shape.is;
  }
};

const readersOf = (kind: Kind): readonly Viewer[] => [...(kind.shown === true ? (['usager'] as const) : []), ...kind.readers];

const fieldLine = (name: string, field: Field, readers: readonly Viewer[]): string =>
  `| \`${name}\`${field.optional ? ' (may be absent)' : ''} | ${shapeOf(field.shape)} | ${namesOf(field.seen.filter((viewer) => readers.includes(viewer)))} |`;

const sectionOf = (type: EventType, sentences: ReadonlyMap<string, readonly string[]>): string[] => {
  const kind: Kind = KINDS[type];
  const readers = readersOf(kind);
  const fields = Object.entries(kind.detail);
  return [
    `### \`${type}\``,
    `Sealed part kept: ${RETENTION[kind.retention]} (class \`${kind.retention}\`). ${readers.length ? `A row for: ${namesOf(readers)}` : 'No view has a row for it'}.`,
    '',
    ...(kind.shown === true ? (sentences.get(type) ?? []).map((said) => `- « ${said} »`) : [`Not shown to the usager: ${kind.shown}.`]),
    '',
    ...(fields.length ? ['| field | holds | seen by |', '|---|---|---|', ...fields.map(([name, field]) => fieldLine(name, field, readers)), ''] : []),
  ];
};

/** Makes the page: Markdown, ending in one line feed. */
export const entriesPage = (): string => {
  const sentences = new Map<string, string[]>();
  for (const entry of sampleEntries((value) => value)) {
    const said = entry.detail && sentence(entry, 'fr');
    if (said) sentences.set(entry.type, [...new Set([...(sentences.get(entry.type) ?? []), `${said.strong} ${said.text}`])]);
  }
  const types = Object.keys(KINDS) as EventType[];
  return `${[
    '# What the journal records',
    '',
    'Made from `src/journal/event.ts` by `npm run docs:entries`; a test fails when the two differ.',
    `The set is closed: ${types.length} kinds, and nothing else can be written. Each decision, allowed or refused, is one entry.`,
    'Of an entry, three views read what is theirs and nothing more (`src/journal/visible.ts`). What no view reads (–) is for whoever',
    'verifies the journal or investigates with the keys.',
    '',
    '## Whom and what an entry concerns',
    'Any kind may name these. They are sealed with the fields; the search of the journal reads them from its own table.',
    '',
    '| party | seen by | how |',
    '|---|---|---|',
    ...Object.entries(PARTY_VIEWS).map(([party, seen]) => `| \`${party}\` | ${namesOf(seen)} | ${HOW[party] ?? ''} |`),
    '',
    '## The kinds',
    '',
    ...types.flatMap((type) => sectionOf(type, sentences)),
  ]
    .join('\n')
    .replace(/\n{3,}/g, '\n\n')
    .trimEnd()}\n`;
};

const HOW: Readonly<Record<string, string>> = {
  usager: 'to a structure only while a mandate between the two lives',
  aidant: 'to an administration a pseudonym, another one for each service; to the usager the first name, in the sentence',
  outcome: 'never when it names whom a decision about staff concerned',
  actor: 'an agent, an opérateur, the command line, the system',
};

export const writtenPage = (): string => readFileSync(PAGE, 'utf8');

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) writeFileSync(PAGE, entriesPage());
