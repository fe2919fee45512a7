import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import QR from 'qrcode';
import { checkOf, numberOf, type Sheet, type StatementLine, sheetsOf } from '../../actions/statement.ts';
import type { StoredEntry } from '../../journal/journal.ts';
import { readCheckpoint } from '../../journal/note.ts';
import { parisDay } from '../../kernel/calendar.ts';
import { displayName } from '../../usagers/usager.ts';
import { statementPdf } from '../attestation-pdf.ts';
import { type Evidence, evidenceOf, type Span } from '../evidence.ts';
import { writeSpan } from '../evidence-rest.ts';
import { requireUsager, type UsagerSession } from '../guards.ts';
import type { Lang } from '../i18n/language.ts';
import { sentence } from '../i18n/sentence.ts';
import type { Kit } from '../kit.tsx';
import { instantsOf, type Period, periodsOf, readPeriod } from '../period.ts';
import type { Site } from '../site.ts';
import { createTries } from '../tries.ts';
import { PATHS } from '../views/paths.ts';
import { StatementPage } from '../views/statement.tsx';
import type { StatementPaper } from '../views/statement-blocks.ts';
import { ownEntries, silentAmong } from './own-entries.ts';

/** A statement is read by a person, and made while she waits. */
const MOST_LINES = 2000;
const SHEETS_A_PAGE = 6;
const FILES_A_MINUTE = 6;

interface Statement {
  readonly paper: StatementPaper;
  readonly sheets: readonly Sheet[];
}

const lineOf = (entry: StoredEntry, lang: Lang, silent: ReadonlySet<string>): StatementLine[] => {
  const said = sentence(entry, lang, { withoutReport: entry.session !== undefined && silent.has(entry.session) });
  if (said === undefined) return [];
  const words = [`${said.strong} ${said.text}`, said.badge && `${said.badge.word}.`, said.reference && `${said.reference}.`];
  return [{ index: entry.index, at: entry.at, said: words.flatMap((each) => each ?? []).join(' '), check: checkOf(entry.leaf) }];
};

/** What a period holds, oldest first, under the last signed state of the journal. */
const statementOf = async (site: Site, session: UsagerSession, period: Period, lang: Lang): Promise<Statement | 'late' | 'too_many'> => {
  const [usager, sealed] = await Promise.all([site.usagers.find(session.usagerId), site.checkpoint()]);
  if (!usager || !sealed?.size) return 'late';
  const found = await ownEntries(site, session.usagerId, { ...instantsOf(period), before: sealed.size }, MOST_LINES + 1);
  if (found.length > MOST_LINES) return 'too_many';
  const silent = await silentAmong(site, found);
  const lines = found.reverse().flatMap((entry) => lineOf(entry, lang, silent));
  const { origin, size, root } = readCheckpoint(sealed.note.slice(0, sealed.note.lastIndexOf('\n\n') + 1));
  const sheets = sheetsOf(lines);
  const subject = {
    log: origin,
    person: displayName(usager),
    from: period.from ?? parisDay(lines[0]?.at ?? site.clock.now()),
    to: period.to,
  };
  const head = {
    ...subject,
    size,
    root: root.toString('base64url'),
    made: site.clock.now(),
    number: numberOf({ ...subject, rows: lines }),
    sheets: sheets.length,
    lines: lines.length,
  };
  return {
    paper: { head, sealedAt: sealed.at, checkUrl: `${site.publicUrl}${PATHS.verifyStatement}`, helpNumber: site.helpNumber },
    sheets: sheets.map((rows, i) => ({ ...head, sheet: i + 1, rows })),
  };
};

/** What lets her browser check the lines of these sheets, and that none is missing between them: `next` is the first line of the sheet that follows. */
const evidenceOfSheets = async (
  site: Site,
  usager: string,
  { rows, next, lang, again }: { rows: readonly StatementLine[]; next: StatementLine | undefined; lang: Lang; again: string },
): Promise<Evidence | undefined> => {
  const [first] = rows;
  if (!first) return undefined;
  const indices = rows.map(({ index }) => index);
  const lines = await site.journal.prove(site.transactions.auto, { usager, indices, limit: indices.length });
  const to = next?.index ?? Math.max(...indices);
  const rest = (span: Span): string => `${PATHS.ownLeaves}?${writeSpan(span)}`;
  const whole = { from: first.index, to, newest: false, oldest: false, ...(next ? { anchor: to } : {}) };
  return evidenceOf(site, { view: { who: 'usager', id: usager }, lines, lang, as: 'sheets', again, whole, rest });
};

/** The statement of a person: her page of the journal, for a period, to print or to take away. */
export const releve =
  (kit: Kit) =>
  async (app: FastifyInstance): Promise<void> => {
    const { site } = kit;
    /** What the QR code of a sheet says: an address whose last part never reaches a server (RFC 3986 §3.5). */
    const sealedBy = (sheet: Sheet): string => `${site.publicUrl}${PATHS.verifyStatement}#${site.statements.seal(sheet)}`;

    const allows = createTries(site.clock, FILES_A_MINUTE);

    const frameOf = async (request: FastifyRequest, session: UsagerSession) => {
      const usager = await site.usagers.find(session.usagerId);
      return kit.frame(request, session, { name: usager ? displayName(usager) : '' });
    };

    const show = async (
      request: FastifyRequest,
      reply: FastifyReply,
      session: UsagerSession,
      asked: { readonly period: Period; readonly statement: Statement | 'late' | 'too_many' },
    ) => {
      const { period, statement } = asked;
      const frame = await frameOf(request, session);
      const shared = {
        frame,
        periods: periodsOf(site.clock.now(), frame.lang),
        period: period.value,
        pdf: kit.post(session, PATHS.statementPdf, [['periode', period.value]]),
        data: kit.post(session, PATHS.personalDataFile),
        backHref: '/usager',
      };
      if (typeof statement === 'string') return kit.page(reply, <StatementPage {...shared} none={statement} most={MOST_LINES} />);
      const { paper, sheets } = statement;
      const given = Number(kit.query(request, 'feuille'));
      const first = Number.isSafeInteger(given) && given > 1 && given <= sheets.length ? given : 1;
      const shown = sheets.slice(first - 1, first - 1 + SHEETS_A_PAGE);
      const drawn = await Promise.all(
        shown.map(async (sheet) => {
          const sealed = sealedBy(sheet);
          return { sheet, sealed, qrSvg: await QR.toString(sealed, { type: 'svg', margin: 4, errorCorrectionLevel: 'M' }) };
        }),
      );
      const next = sheets[first - 1 + SHEETS_A_PAGE]?.rows[0];
      const rows = shown.flatMap((sheet) => sheet.rows);
      const at = (sheet: number): string => `${PATHS.statement}?periode=${period.value}&feuille=${sheet}`;
      const evidence = await evidenceOfSheets(site, session.usagerId, { rows, next, lang: frame.lang, again: at(first) });
      return kit.page(
        reply,
        <StatementPage
          {...shared}
          {...(evidence ? { evidence } : {})}
          paper={paper}
          sheets={drawn}
          {...(first > 1 ? { previous: at(Math.max(1, first - SHEETS_A_PAGE)) } : {})}
          {...(first + SHEETS_A_PAGE <= sheets.length ? { next: at(first + SHEETS_A_PAGE) } : {})}
        />,
      );
    };

    app.get(PATHS.statement, async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      const period = readPeriod(kit.query(request, 'periode'), site.clock.now());
      return show(request, reply, session, { period, statement: await statementOf(site, session, period, kit.lang(request)) });
    });

    // A form, not a link: what leaves in a file is an entry, which she reads.
    app.post(PATHS.statementPdf, async (request, reply) => {
      const session = await requireUsager(kit, request, reply);
      if (!session) return reply;
      if (!allows(session.usagerId)) return kit.refuse(request, reply.header('retry-after', '60'), 'too_many_requests', { session });
      const lang = kit.lang(request);
      const period = readPeriod(kit.fields(request).text('periode'), site.clock.now());
      const statement = await statementOf(site, session, period, lang);
      if (typeof statement === 'string') return show(request, reply, session, { period, statement });
      const { paper, sheets } = statement;
      const pdf = await statementPdf(paper, sheets, sealedBy, lang);
      const { from, to, lines } = paper.head;
      await site.transactions.run((tx) =>
        site.journal.record(tx, { type: 'statement.made', usager: session.usagerId, detail: { from, to, entries: lines } }),
      );
      site.journal.nudge();
      return reply.type('application/pdf').header('content-disposition', `attachment; filename="releve-${from}-${to}.pdf"`).send(pdf);
    });
  };
