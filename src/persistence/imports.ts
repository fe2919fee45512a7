import type { AidantId } from '../kernel/ids.ts';
import type { ImportStore } from '../mandates/imports.ts';
import type { Theme } from '../organisations/theme.ts';
import { rows, run } from './database.ts';
import { bornOnAny } from './paper-consents.ts';
import { sql } from './sql.ts';

export const importStore: ImportStore = {
  bornOn: bornOnAny,
  async member(tx, organisationId, email) {
    const found = await rows<{ id: AidantId }>(
      tx,
      sql`select a.id from staff a join membership b on b.aidant_id = a.id
        where b.organisation_id = ${organisationId} and a.kind = 'aidant' and lower(a.email) = ${email.toLowerCase()} limit 2`,
    );
    return found.length === 1 ? found[0]?.id : undefined;
  },
  async closedThemes(tx, organisationId, usagerId, signed) {
    const found = await rows<{ theme: Theme }>(
      tx,
      sql`select distinct theme from mandate_grant where organisation_id = ${organisationId} and usager_id = ${usagerId}
        and (ended_at is null or (end_reason = 'revoked' and ended_at >= ${signed}))`,
    );
    return found.map(({ theme }) => theme);
  },
  async known(tx, organisationId) {
    const found = await rows<{ hash: string }>(
      tx,
      sql`select encode(line_hash, 'hex') hash from imported_mandate where organisation_id = ${organisationId}`,
    );
    return found.map(({ hash }) => hash);
  },
  async lock(tx, organisationId) {
    await run(tx, sql`select pg_advisory_xact_lock(hashtextextended(${`import ${organisationId}`}, 0))`);
  },
  async add(tx, made) {
    await run(
      tx,
      sql`insert into mandate_import (id, approval_id, organisation_id, file_hash, at)
        values (${made.id}, ${made.approvalId}, ${made.organisationId}, ${made.fileHash}, ${made.at})`,
    );
  },
  async addLine(tx, line) {
    await run(
      tx,
      sql`insert into imported_mandate (draft_id, import_id, line, organisation_id, line_hash, aidant_id, witness_id, signed_on, evidence)
        values (${line.draftId}, ${line.importId}, ${line.line}, ${line.organisationId}, ${line.lineHash}, ${line.aidantId}, ${line.witnessId}, ${line.signedOn}::date,
          ${line.evidence})`,
    );
  },
};
