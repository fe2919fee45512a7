import type { ExportFilter, ExportId, JournalExport } from '../actions/export.ts';
import type { ExportStore } from '../actions/exports.ts';
import type { ApprovalId } from '../approvals/approval.ts';
import { canonical, parseCanonical } from '../kernel/canonical.ts';
import type { AdministrationId, StaffId } from '../kernel/ids.ts';
import { row, rows, run } from './database.ts';
import { sql } from './sql.ts';

interface Row {
  id: ExportId;
  administration_id: AdministrationId;
  asked_by: StaffId;
  reason: string;
  filter: string;
  size: number;
  entries: number;
  persons: number;
  approval_id: ApprovalId | null;
  approved_by: string | null;
  asked_at: Date;
  done_at: Date | null;
}

const read = (found: Row): JournalExport => ({
  id: found.id,
  administrationId: found.administration_id,
  askedBy: found.asked_by,
  reason: found.reason,
  // Only `add` writes it; what it finds is the administration's own whatever it says.
  filter: parseCanonical(found.filter) as ExportFilter,
  size: found.size,
  entries: found.entries,
  persons: found.persons,
  askedAt: found.asked_at,
  ...(found.approval_id === null ? {} : { approvalId: found.approval_id }),
  ...(found.approved_by === null ? {} : { approvedBy: found.approved_by }),
  ...(found.done_at === null ? {} : { doneAt: found.done_at }),
});

export const exportStore: ExportStore = {
  async lock(tx, agent) {
    await run(tx, sql`select pg_advisory_xact_lock(hashtextextended(${`journal_export ${agent}`}, 0))`);
  },
  personsSince: async (tx, agent, since) =>
    (
      await row<{ n: number }>(
        tx,
        sql`select coalesce(sum(persons), 0)::int n from journal_export where asked_by = ${agent} and approval_id is null and done_at > ${since}`,
      )
    )?.n ?? 0,
  async add(tx, it) {
    await run(
      tx,
      sql`insert into journal_export (id, administration_id, asked_by, reason, filter, size, entries, persons, approval_id, asked_at, done_at)
        values (${it.id}, ${it.administrationId}, ${it.askedBy}, ${it.reason}, ${canonical({ ...it.filter })}, ${it.size}, ${it.entries}, ${it.persons},
          ${it.approvalId ?? null}, ${it.askedAt}, ${it.doneAt ?? null})`,
    );
  },
  async find(tx, id) {
    const found = await row<Row>(
      tx,
      sql`select e.id, e.administration_id, e.asked_by, e.reason, e.filter, e.size, e.entries, e.persons, e.approval_id, e.asked_at, e.done_at, a.approved_by
        from journal_export e left join approval a on a.id = e.approval_id where e.id = ${id} for update of e`,
    );
    return found && read(found);
  },
  finish: async (tx, id, now) => (await run(tx, sql`update journal_export set done_at = ${now} where id = ${id} and done_at is null`)) === 1,
  open: async (tx, administration, since) =>
    (
      await rows<Row>(
        tx,
        sql`select e.id, e.administration_id, e.asked_by, e.reason, e.filter, e.size, e.entries, e.persons, e.approval_id, e.asked_at, e.done_at, a.approved_by
          from journal_export e left join approval a on a.id = e.approval_id
          where e.administration_id = ${administration} and e.done_at is null and e.asked_at > ${since} order by e.asked_at desc, e.id desc limit 50`,
      )
    ).map(read),
};
