import { assert } from './check.ts';
import type { World } from './world.ts';

/** What happened and names no entry that says it, once all are sequenced. */
export const WITHOUT_ENTRY = `select kind, reference from happened h
  where not exists (select 1 from journal.receipt r join journal.projection p on p.idx = r.idx where r.event_id = h.event and p.type = any (h.types))`;

/** What must never be, as a query that finds it. */
const NEVER: Readonly<Record<string, string>> = {
  'two active grants for one organisation, person and theme': `select g.organisation_id, g.usager_id, g.theme from mandate_grant g
    where g.ended_at is null group by 1, 2, 3 having count(*) > 1`,
  'a mandate with one will missing, or with wills over two texts': `select m.id from mandate m left join mandate_draft d on d.id = m.draft_id
    where d.consented_at is null or d.usager_id <> m.usager_id or d.consented_at <> m.consented_at or m.accepted_at < m.consented_at
      or d.text_hash <> m.text_hash or d.consent_evidence <> m.consent_evidence or d.closed_at is null or d.aidant_id <> m.accepted_by`,
  'a grant wider than its consent': `select g.mandate_id from mandate_grant g join mandate m on m.id = g.mandate_id join mandate_draft d on d.id = m.draft_id
    where g.theme <> all (d.themes) or g.usager_id <> m.usager_id or g.organisation_id <> m.organisation_id or m.demarches is distinct from d.demarches
      or m.read_only <> d.read_only or m.single_use <> d.single_use or m.days <> d.days`,
  'a renewal wider than what it renews': `select d.id from mandate_draft d join mandate o on o.id = d.renews
    where not d.themes <@ array(select theme from mandate_grant where mandate_id = o.id) or d.days <> o.days or d.demarches is distinct from o.demarches
      or d.read_only <> o.read_only or d.single_use <> o.single_use or (d.usager_id is not null and d.usager_id <> o.usager_id)`,
  'a mandate that has ended with a grant that lives, or that lives without any': `select m.id from mandate m
    where (m.ended_at is null) <> exists (select 1 from mandate_grant g where g.mandate_id = m.id and g.ended_at is null)`,
  'a mandate without its seal': `select m.id from mandate m where not exists (select 1 from attestation a where a.mandate_id = m.id)`,
  'a party that has entries and never had a key': `select id from journal.projection p, lateral unnest(array[p.usager, p.organisation, p.administration, p.aidant]) id
    where id is not null and not exists (select 1 from journal_keys.person_key k where k.party_id = id)`,
  'a mandate without an entry of each will': `select m.id from mandate m where m.draft_id in (select id from mandate_draft where created_at > $1)
      and 1 <> (select count(*) from journal.projection p where p.type = 'mandate.created' and p.mandate = m.id)`,
  'a power given or taken away without the entry that it names': `${WITHOUT_ENTRY} and at > $1`,
};

/** Looks for each, among the mandates of drafts made after `since`; `after` says what was done. */
export const neverThat = async (world: World, since: Date, after: string): Promise<void> => {
  const found = (query: string) => world.sql(query, query.includes('$1') ? [since] : []);
  await world.app.flushJournal();
  for (const [what, query] of Object.entries(NEVER)) {
    // The house works beside the test: what a job has just committed may wait for its place in the journal. What must never be is there again.
    if ((await found(query)).length) await world.app.flushJournal();
    assert.deepEqual(await found(query), [], `${what}, after ${after}`);
  }
};
