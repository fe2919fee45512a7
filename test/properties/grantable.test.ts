import { after, before } from 'node:test';
import fc from 'fast-check';
import { newId } from '../../src/kernel/ids.ts';
import { grantable } from '../../src/mandates/policy.ts';
import { THEMES, type Theme } from '../../src/organisations/theme.ts';
import { assert, test } from '../support/check.ts';
import { type DatabaseKind, databases, type FreshDatabase } from '../support/database.ts';

const RUNS = 100_000;
const someThemes = fc.array(fc.constantFrom(...THEMES), { maxLength: 12 });

test(`M7 what is granted is never larger than the mandate, the service, the aidant or what was asked (${RUNS} runs)`, { atLeast: RUNS }, () => {
  const asked = fc.option(someThemes, { nil: undefined });
  fc.assert(
    fc.property(someThemes, someThemes, someThemes, asked, (mandate, service, aidant, wanted) => {
      const granted = new Set(grantable({ mandate, service, aidant, asked: wanted }));
      // The definition, said the other way round: a theme is granted exactly when each of the four has it.
      const expected = new Set(
        THEMES.filter(
          (theme) => mandate.includes(theme) && service.includes(theme) && aidant.includes(theme) && (wanted === undefined || wanted.includes(theme)),
        ),
      );
      assert.ok(granted.size === expected.size && [...granted].every((theme) => expected.has(theme)));
    }),
    { numRuns: RUNS },
  );
});

/** Which of the four, in SQL, for one sampled world: rows written as the owner, then asked as the application does. */
const inSql = async (fresh: FreshDatabase, sets: { mandate: Theme[]; organisation: Theme[]; member: Theme[]; service: Theme[] }) => {
  const ids = { org: newId('org'), aid: newId('aid'), usg: newId('usg'), adm: newId('adm'), man: newId('man'), dra: newId('dra') };
  const service = `svc-${ids.man.slice(-12)}`;
  const siret = String(BigInt(`0x${Buffer.from(ids.org.slice(-8)).toString('hex')}`))
    .slice(-14)
    .padStart(14, '1');
  return fresh.database.asOwner(async (query) => {
    const at = new Date('2026-11-21T09:00:00Z');
    const end = new Date('2026-12-21T23:00:00Z');
    await query("insert into organisation values ($1, 'o', $2, $3, 'active', $4)", [ids.org, siret, sets.organisation, at]);
    await query("insert into staff values ($1, 'aidant', 'a@example.org', 'A', 'B', 'active', $2)", [ids.aid, at]);
    await query("insert into membership values ($1, $2, $3, false, 'active')", [ids.aid, ids.org, sets.member]);
    await query("insert into usager values ($1, 'C', 'D', null, 'female', '1950-01-01', '17415', '99100', null, $2)", [ids.usg, at]);
    await query('insert into administration values ($1, $2, $3)', [ids.adm, 'adm', at]);
    await query(
      `insert into service (id, name, administration_id, profile, sector, themes, delegation_supported, metadata, status, created_at)
       values ($1, $1, $2, 'standard', $1, $3, true, '{}', 'approved', $4)`,
      [service, ids.adm, sets.service, at],
    );
    await query(
      `insert into mandate_draft (id, organisation_id, aidant_id, themes, days, created_at, expires_at, usager_id, consent_method, consent_acr, consent_evidence, consented_at, text_hash)
       values ($1, $2, $3, $4, 31, $5, $5, $6, 'franceconnect', 'eidas1', '\\x00', $5, '\\x00')`,
      [ids.dra, ids.org, ids.aid, sets.mandate, at, ids.usg],
    );
    await query(
      `insert into mandate (id, reference, draft_id, organisation_id, usager_id, template, text_hash, days, starts_at, ends_at, consent_method, consent_acr, consent_evidence,
         consented_at, accepted_by, accepted_at, acceptance_means)
       values ($1, $1, $2, $3, $4, 't', '\\x00', 31, $5, $6, 'franceconnect', 'eidas1', '\\x00', $5, $7, $5, 'totp')`,
      [ids.man, ids.dra, ids.org, ids.usg, at, end, ids.aid],
    );
    for (const theme of sets.mandate) {
      await query('insert into mandate_grant (mandate_id, theme, organisation_id, usager_id) values ($1, $2, $3, $4)', [
        ids.man,
        theme,
        ids.org,
        ids.usg,
      ]);
      await query(
        `insert into delegated_session (id, grant_id, web_session, mandate_id, theme, aidant_id, organisation_id, usager_id, service_id, acr, aidant_acr, aidant_amr, auth_time,
           privileges, identifier, opened_event, opened_at, expires_at)
         values ($1, $1, '\\x00', $2, $3, $4, $5, $6, $7, 'eidas1', 'eidas1', '{}', $8, '{}', gen_random_uuid(), gen_random_uuid(), $8, $8::timestamptz + interval '30 minutes')`,
        [newId('dls'), ids.man, theme, ids.aid, ids.org, ids.usg, service, at],
      );
    }
    const live = await query('select theme from live_session($1) where mandate_id = $2', [new Date(at.getTime() + 1000), ids.man]);
    const usable = await query(
      'select g.theme from usable_grant($1, $2, $3) g join service s on s.id = $4 and g.theme = any (s.themes) where g.mandate_id = $5',
      [new Date(at.getTime() + 1000), ids.aid, ids.org, service, ids.man],
    );
    const names = (found: Record<string, unknown>[]): string[] => found.map((each) => String(each['theme'])).sort();
    return { live: names(live), usable: names(usable) };
  });
};

const sample = async (kind: DatabaseKind, fresh: FreshDatabase): Promise<void> => {
  const set = fc.uniqueArray(fc.constantFrom(...THEMES), { maxLength: THEMES.length });
  const full = fc.uniqueArray(fc.constantFrom(...THEMES), { minLength: 1, maxLength: THEMES.length });
  await fc.assert(
    fc.asyncProperty(full, set, set, full, async (mandate, organisation, member, service) => {
      const aidant = organisation.filter((theme) => member.includes(theme));
      const expected = grantable({ mandate, service, aidant, asked: undefined }).sort();
      const found = await inSql(fresh, { mandate, organisation, member, service });
      assert.deepEqual(found, { live: expected, usable: expected });
    }),
    { numRuns: kind.kind === 'pglite' ? 60 : 120 },
  );
};

for (const kind of databases()) {
  let fresh: FreshDatabase;
  before(async () => {
    fresh = await kind.fresh();
  });
  after(() => fresh.drop());
  test(`M7 the SQL of live sessions and of candidates agrees with the policy (${kind.kind})`, { database: kind.kind, atLeast: 60 }, () =>
    sample(kind, fresh),
  );
}
