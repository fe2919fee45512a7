import type { FastifyReply } from 'fastify';
import type { ProvedEntry } from '../../journal/journal.ts';
import { parisDay } from '../../kernel/calendar.ts';
import { type EntryJson, entryJson } from '../api/entry-json.ts';
import type { AgentHere } from '../guards.ts';
import type { Site } from '../site.ts';
import { servicesOf, viewOf } from './journal-query.ts';

export type Format = 'csv' | 'json';

const COLUMNS = [
  'index',
  'at',
  'type',
  'service',
  'organisation',
  'aidant',
  'theme',
  'demarche',
  'verb',
  'outcome',
  'mandate',
  'session',
  'reference',
  'outside_mandate',
  'sign_in_again',
  'leaf',
] as const;

/** A cell of CSV (RFC 4180). One that a spreadsheet would take for a formula gets an apostrophe in front. */
export const csvCell = (value: unknown): string => {
  const text = value === undefined || value === null ? '' : String(value);
  return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
};

type Row = EntryJson & { readonly mandate_reference?: string };

const cellsOf = (row: Row): Readonly<Record<(typeof COLUMNS)[number], unknown>> => ({
  index: row.index,
  at: row.at,
  type: row.type,
  service: row.service,
  organisation: row.detail?.['organisationName'],
  aidant: row.aidant,
  theme: row.theme,
  demarche: row.demarche,
  verb: row.verb,
  outcome: row.outcome,
  mandate: row.mandate_reference,
  session: row.session,
  reference: row.detail?.['reference'],
  outside_mandate: row.detail?.['outsideMandate'],
  sign_in_again: row.detail?.['signInAgain'],
  leaf: row.leaf.hash,
});

const csvOf = (rows: readonly Row[]): string =>
  [COLUMNS.map(csvCell), ...rows.map((row) => COLUMNS.map((column) => csvCell(cellsOf(row)[column])))]
    .map((cells) => `${cells.join(',')}\r\n`)
    .join('');

/** Entries as an administration takes them away: what it may see of each, with what proves it. */
export const rowsOf = async (site: Site, administration: string, entries: readonly ProvedEntry[]): Promise<Row[]> => {
  const view = viewOf(site, administration, await servicesOf(site, administration));
  const references = await site.references(entries.flatMap(({ mandate }) => mandate ?? []));
  return entries.flatMap((entry) => {
    const row = entryJson(view, entry, 'fr');
    const reference = row?.mandate === undefined ? undefined : references.get(row.mandate);
    return row ? [{ ...row, ...(reference ? { mandate_reference: reference } : {}) }] : [];
  });
};

/** Sends the entries as a file. */
export const sendExport = async (
  site: Site,
  reply: FastifyReply,
  here: AgentHere,
  entries: readonly ProvedEntry[],
  format: Format,
): Promise<FastifyReply> => {
  const rows = await rowsOf(site, here.administration.id, entries);
  reply.header('content-disposition', `attachment; filename="journal-${parisDay(site.clock.now())}.${format}"`);
  if (format === 'csv') return reply.type('text/csv; charset=utf-8').send(csvOf(rows));
  const checkpoint = await site.checkpoint();
  const file = { log: site.origin(), checkpoint: checkpoint?.note, administration: here.administration.name, entries: rows };
  return reply.type('application/json; charset=utf-8').send(`${JSON.stringify(file, null, 1)}\n`);
};
