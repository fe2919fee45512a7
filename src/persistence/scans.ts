import type { PaperConsentId } from '../mandates/paper-consent.ts';
import type { ScanStore, StoredScan } from '../mandates/scans.ts';
import { row, run } from './database.ts';
import { sql } from './sql.ts';

export const scanStore: ScanStore = {
  async add(tx, scan) {
    await run(
      tx,
      sql`insert into paper_scan (id, paper_id, kind, size, hash, box, added_by, added_at)
        values (${scan.id}, ${scan.paperId}, ${scan.kind}, ${scan.size}, ${scan.hash}, ${scan.box}, ${scan.addedBy}, ${scan.addedAt})`,
    );
  },
  async count(tx, paperId) {
    return (await row<{ n: number }>(tx, sql`select count(*)::int n from paper_scan where paper_id = ${paperId}`))?.n ?? 0;
  },
  async newest(tx, paperId) {
    return row<StoredScan>(
      tx,
      sql`select id, paper_id "paperId", kind, size, hash, box, added_by "addedBy", added_at "addedAt" from paper_scan
        where paper_id = ${paperId} order by added_at desc, id desc limit 1`,
    );
  },
  async ofMandate(tx, id) {
    const found = await row<{ id: PaperConsentId }>(
      tx,
      sql`select p.id from paper_consent p join mandate m on m.draft_id = p.draft_id
        where m.id = ${id} and p.ended_at is null and exists (select 1 from paper_scan s where s.paper_id = p.id)`,
    );
    return found?.id;
  },
  async lock(tx, paperId) {
    await run(tx, sql`select pg_advisory_xact_lock(hashtextextended(${`scan ${paperId}`}, 0))`);
  },
};
