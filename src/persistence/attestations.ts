import type { AidantId, DraftId, MandateId, OrganisationId, UsagerId } from '../kernel/ids.ts';
import type { Transaction } from '../kernel/transaction.ts';
import type { Sealed } from '../mandates/attestation.ts';
import type { AttestationStore, StoredAttestation } from '../mandates/attestations.ts';
import type { ConsentMethod } from '../mandates/mandate.ts';
import type { Theme } from '../organisations/theme.ts';
import { row, rows, run } from './database.ts';
import { type NarrowingColumns, readNarrowing } from './narrowing.ts';
import { sql } from './sql.ts';

interface SealedRow extends NarrowingColumns {
  id: MandateId;
  reference: string;
  template: string;
  text_hash: Buffer;
  draft_id: DraftId;
  organisation_id: OrganisationId;
  organisation_name: string;
  siret: string;
  usager_id: UsagerId;
  given_name: string;
  family_name: string;
  preferred_username: string | null;
  gender: 'male' | 'female';
  birthdate: string;
  birthplace: string;
  birthcountry: string;
  themes: Theme[];
  days: number;
  starts_at: Date;
  ends_at: Date;
  consent_method: ConsentMethod;
  consent_acr: string;
  consented_at: Date;
  consent_evidence: Buffer;
  accepted_by: AidantId;
  accepted_given_name: string;
  accepted_family_name: string;
  accepted_at: Date;
  acceptance_means: string;
}

interface StoredRow extends SealedRow {
  code: string;
  key_id: string;
  seal: Buffer;
  names_box: Buffer;
  ended_at: Date | null;
  live_themes: Theme[];
  organisation_active: boolean;
}

/** A mandate that is being sealed has no attestation yet. */
type MandateRow = StoredRow | (SealedRow & { readonly code: null });

const readSealed = (found: SealedRow): Sealed => ({
  id: found.id,
  reference: found.reference,
  template: found.template,
  textHash: found.text_hash,
  draftId: found.draft_id,
  organisation: { id: found.organisation_id, name: found.organisation_name, siret: found.siret },
  usager: {
    id: found.usager_id,
    givenName: found.given_name,
    familyName: found.family_name,
    preferredUsername: found.preferred_username ?? undefined,
    gender: found.gender,
    birthdate: found.birthdate,
    birthplace: found.birthplace,
    birthcountry: found.birthcountry,
  },
  themes: found.themes,
  days: found.days,
  narrowing: readNarrowing(found),
  startsAt: found.starts_at,
  endsAt: found.ends_at,
  consent: { method: found.consent_method, acr: found.consent_acr, at: found.consented_at, evidence: found.consent_evidence },
  acceptance: {
    by: found.accepted_by,
    givenName: found.accepted_given_name,
    familyName: found.accepted_family_name,
    at: found.accepted_at,
    means: found.acceptance_means,
  },
});

const readStored = (found: StoredRow): StoredAttestation => ({
  code: found.code,
  keyId: found.key_id,
  seal: found.seal,
  namesBox: found.names_box,
  sealed: readSealed(found),
  standing: { endedAt: found.ended_at ?? undefined, themes: found.live_themes, organisationActive: found.organisation_active },
});

/** The rows of a mandate, and what its attestation keeps where there is one. */
const rowsOf = (tx: Transaction, by: { readonly id: MandateId | null; readonly code: string | null }): Promise<MandateRow | undefined> =>
  row<MandateRow>(
    tx,
    sql`select m.id, m.reference, m.template, m.text_hash, m.draft_id, m.organisation_id, o.name organisation_name, o.siret, m.usager_id, u.given_name,
        u.family_name, u.preferred_username, u.gender, u.birthdate, u.birthplace, u.birthcountry, m.days, m.starts_at, m.ends_at, m.consent_method,
        m.consent_acr, m.consented_at, m.consent_evidence, m.accepted_by, a.given_name accepted_given_name, a.family_name accepted_family_name,
        m.accepted_at, m.acceptance_means, m.demarches, m.read_only, m.single_use,
        array(select g.theme from mandate_grant g where g.mandate_id = m.id order by g.theme) themes,
        array(select g.theme from mandate_grant g where g.mandate_id = m.id and g.ended_at is null order by g.theme) live_themes,
        t.code, t.key_id, t.seal, t.names_box, m.ended_at, o.status = 'active' organisation_active
      from mandate m join organisation o on o.id = m.organisation_id join usager u on u.id = m.usager_id join staff a on a.id = m.accepted_by
        left join attestation t on t.mandate_id = m.id
      where m.id = coalesce(${by.id}::text, (select mandate_id from attestation where code = ${by.code}))`,
  );

const stored = async (tx: Transaction, by: Parameters<typeof rowsOf>[1]): Promise<StoredRow | undefined> => {
  const found = await rowsOf(tx, by);
  return found?.code === null ? undefined : found;
};

export const attestationStore: AttestationStore = {
  async toSeal(tx, id) {
    const found = await rowsOf(tx, { id, code: null });
    return found && readSealed(found);
  },
  async add(tx, { code, keyId, seal, namesBox, sealed }) {
    await run(
      tx,
      sql`insert into attestation (mandate_id, code, key_id, seal, names_box) values (${sealed.id}, ${code}, ${keyId}, ${seal}, ${namesBox})`,
    );
  },
  async find(tx, id) {
    const found = await stored(tx, { id, code: null });
    return found && readStored(found);
  },
  async ofUsager(tx, usagerId) {
    const ids = await rows<{ id: MandateId }>(tx, sql`select id from mandate where usager_id = ${usagerId} order by id`);
    const found: StoredAttestation[] = [];
    for (const { id } of ids) {
      const one = await stored(tx, { id, code: null });
      if (one) found.push(readStored(one));
    }
    return found;
  },
  async replace(tx, id, { keyId, seal, namesBox }) {
    await run(tx, sql`update attestation set key_id = ${keyId}, seal = ${seal}, names_box = ${namesBox} where mandate_id = ${id}`);
  },
  async byCode(tx, code) {
    const found = await stored(tx, { id: null, code });
    return found && readStored(found);
  },
  async rememberKey(tx, keyId, now) {
    await run(tx, sql`insert into attestation_key (key_id, since) values (${keyId}, ${now}) on conflict (key_id) do nothing`);
  },
  keys: (tx) => rows<{ keyId: string; since: Date }>(tx, sql`select key_id "keyId", since from attestation_key order by since, key_id`),
};
