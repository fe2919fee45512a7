import type { Approval, ApprovalId, ApprovalKind } from '../approvals/approval.ts';
import type { ApprovalStore } from '../approvals/approvals.ts';
import { row, rows, run } from './database.ts';
import { sql } from './sql.ts';

interface Row {
  id: ApprovalId;
  kind: ApprovalKind;
  subject: string;
  hash: Buffer;
  asked_by: string;
  asked_at: Date;
  approved_by: string | null;
  approved_at: Date | null;
}

const toApproval = (found: Row): Approval => ({
  id: found.id,
  kind: found.kind,
  subject: found.subject,
  hash: found.hash,
  askedBy: found.asked_by,
  askedAt: found.asked_at,
  ...(found.approved_by === null || found.approved_at === null ? {} : { approvedBy: found.approved_by, approvedAt: found.approved_at }),
});

/** Keeps approvals in the table `approval`, whose constraints hold the two rules of the second person. */
export const approvalStore: ApprovalStore = {
  insert: async (tx, it) => {
    await run(
      tx,
      sql`insert into approval (id, kind, subject, hash, asked_by, asked_at)
          values (${it.id}, ${it.kind}, ${it.subject}, ${it.hash}, ${it.askedBy}, ${it.askedAt})`,
    );
  },
  lock: async (tx, id) => {
    const found = await row<Row>(
      tx,
      sql`select id, kind, subject, hash, asked_by, asked_at, approved_by, approved_at from approval where id = ${id} for update`,
    );
    return found && toApproval(found);
  },
  lockOpen: async (tx, kind, subject) => {
    const found = await row<Row>(
      tx,
      sql`select id, kind, subject, hash, asked_by, asked_at, approved_by, approved_at from approval
          where kind = ${kind} and subject = ${subject} and approved_by is null order by asked_at desc, id desc limit 1 for update`,
    );
    return found && toApproval(found);
  },
  give: async (tx, id, by, hash, at) =>
    (await run(
      tx,
      sql`update approval set approved_by = ${by}, approved_at = ${at}, approved_hash = ${hash} where id = ${id} and approved_by is null`,
    )) === 1,
  find: async (tx, id) => {
    const found = await row<Row>(
      tx,
      sql`select id, kind, subject, hash, asked_by, asked_at, approved_by, approved_at from approval where id = ${id}`,
    );
    return found && toApproval(found);
  },
  listOpen: async (tx) =>
    (
      await rows<Row>(
        tx,
        sql`select a.id, a.kind, a.subject, a.hash, a.asked_by, a.asked_at, a.approved_by, a.approved_at from approval a
          where a.approved_by is null and not exists (
            select 1 from approval later where later.kind = a.kind and later.subject = a.subject and later.id > a.id)
          order by a.asked_at, a.id`,
      )
    ).map(toApproval),
};
