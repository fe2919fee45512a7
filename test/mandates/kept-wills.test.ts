import { after, before, describe } from 'node:test';
import { rows } from '../../src/persistence/database.ts';
import type { Statement } from '../../src/persistence/sql.ts';
import { agreed, consented, inTheMorning, mandatesOf, personOf, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { papersOf, sheetFor, typedPerson } from '../support/paper.ts';
import { openWorld, type World } from '../support/world.ts';

type Attempts = readonly (readonly [what: string, sql: string, why?: RegExp])[];

/** What somebody with the application's database role might try to forge a will, or to hide one. `why`: which guard must answer. */
const FORGERIES: Attempts = [
  ['a draft that was stopped opens again', "update mandate_draft set closed_at = null where id = '$CLOSED'", /closed/],
  [
    'a draft that was stopped gets another consent',
    "update mandate_draft set consented_at = consented_at + interval '1 second' where id = '$CLOSED'",
    /closed/,
  ],
  ['a draft that was stopped lasts', "update mandate_draft set expires_at = now() + interval '1 day' where id = '$CLOSED'", /closed/],
  ['a draft gets other themes', "update mandate_draft set themes = '{argent}' where id = '$AGREED'"],
  ['a draft gets other days', "update mandate_draft set days = 365 where id = '$AGREED'"],
  ['a draft is widened', "update mandate_draft set read_only = false where id = '$AGREED'"],
  ['a draft is deleted', "delete from mandate_draft where id = '$AGREED'"],
  ['a mandate of a draft that was stopped', `insert into mandate $MANDATE where d.id = '$CLOSED'`, /no such will/],
  ['a mandate stronger than its consent', `insert into mandate $MANDATE_EIDAS2 where d.id = '$AGREED'`, /no such will/],
  ['a mandate of another person', `insert into mandate $MANDATE_OTHER where d.id = '$AGREED'`, /no such will/],
  ['an end that somebody else decided', "update mandate set ended_by = 'aid_x' where id = '$ENDED'", /taken back/],
  ['a seal changes', "update attestation set seal = decode(repeat('00', 64), 'hex')"],
  ['a code changes', "update attestation set code = repeat('2', 24)"],
  ['a seal is removed', 'delete from attestation'],
  ['an answer is taken back', "update remote_consent set state = 'asked', ended_at = null, evidence = null, evidence_box = null", /answered/],
  ['a no becomes a yes', "update remote_consent set state = 'yes' where state = 'no'", /answered/],
  ['a question has another text', "update remote_consent set text_hash = decode(repeat('00', 32), 'hex')"],
  ['a question goes to another number', "update remote_consent set phone = '+33600000000'"],
  ['a question is removed', 'delete from remote_consent'],
  [
    'a question is made with its yes',
    `insert into remote_consent select 'rcs_x', repeat('x', 22), draft_id, usager_id, channel_id, phone, text_hash, delivery_id, 'yes', asked_at, expires_at, null, null, 0, 0,
       asked_at, evidence, evidence_box from remote_consent limit 1`,
    /without an answer/,
  ],
  ['a witness is taken off', 'update paper_consent set witness_id = null, witnessed_at = null, witness_means = null, evidence = null', /seen signed/],
  ['a sheet has another witness', "update paper_consent set witness_id = asked_by where id = '$WAITING'"],
  ['a sheet has another text', "update paper_consent set text_hash = decode(repeat('00', 32), 'hex')"],
  ['a sheet is removed', 'delete from paper_consent'],
  ['a copy of a sheet changes', 'update paper_scan set box = box'],
  ['a copy of a sheet is removed', 'delete from paper_scan'],
  ['a link that was refused opens again', "update phone_link set state = 'open', ended_at = null where state = 'no'", /has been used/],
  ['a link that was refused is a yes', "update phone_link set state = 'yes' where state = 'no'", /has been used/],
  [
    'a link is made with its yes',
    "insert into phone_link select 'lnk_x', decode(repeat('00', 32), 'hex'), draft_id, 'yes', created_at, expires_at, null, null, created_at from phone_link limit 1",
    /without an answer/,
  ],
  ['a link is removed', 'delete from phone_link'],
  ['a passkey that was revoked signs again', 'update passkey set revoked_at = null', /taken back/],
  ['a passkey has another key', "update passkey set public_key = '\\x00'"],
  ['a passkey is removed', 'delete from passkey'],
  ['a recovery code is used again', 'update recovery_code set used_at = null', /taken back/],
  ['a recovery code is another', "update recovery_code set hash = decode(repeat('01', 32), 'hex')"],
  ['a challenge is answered again', 'update passkey_challenge set used_at = null', /taken back/],
  ['a link of a lost means is used again', 'update loss_link set used_at = null', /taken back/],
  ['a try at stopping is of another day', "update stop_try set day = '2020-01-01'"],
  ['a line of an import has another witness', 'update imported_mandate set witness_id = aidant_id'],
  ['an import is removed', 'delete from mandate_import'],
  ['a session forgets the démarches', `insert into delegated_session $SESSION, null, true $FROM`, /no more than its mandate/],
  ['a session has other démarches', `insert into delegated_session $SESSION, '{x.autre}', true $FROM`, /no more than its mandate/],
  ['a session forgets the one use', `insert into delegated_session $SESSION, '{x.paiements}', false $FROM`, /no more than its mandate/],
  [
    'a key that opens nothing, for somebody who has no entry yet',
    "insert into journal_keys.person_key (party_id, wrapped) values ('usg_x', '\\x00')",
  ],
  [
    'somebody who has no entry yet is erased already',
    "insert into journal_keys.person_key (party_id, wrapped, erased_at) values ('usg_x', null, now())",
  ],
  ['a key of a month that opens nothing', "insert into journal_keys.period_key (class, period, wrapped) values ('mandate', '2031-01', '\\x00')"],
  ['a key of a day that opens nothing', "insert into journal_keys.period_key (class, period, wrapped) values ('queue', '2031-01-01', '\\x00')"],
  ['a key is replaced', "update journal_keys.person_key set wrapped = '\\x00'"],
  ['a key is erased', 'update journal_keys.person_key set wrapped = null, erased_at = now()'],
  ['a key is removed', 'delete from journal_keys.person_key'],
  ['a key of a month is replaced', "update journal_keys.period_key set wrapped = '\\x00'"],
  ['a key of a month is erased', 'update journal_keys.period_key set wrapped = null, erased_at = now()'],
  ['a key of a month is removed', 'delete from journal_keys.period_key'],
  ['all keys are removed', 'truncate journal_keys.person_key, journal_keys.period_key'],
  ['a session changes its démarches', "update delegated_session set demarches = null where mandate_id = '$NARROW'"],
];

const MANDATE = (usager: string, acr: string): string =>
  `select 'man_forged', 'M-FORG-ED22', d.id, d.organisation_id, ${usager}, '2026-11', d.text_hash, d.days, now(), now() + interval '1 hour', d.consent_method, ${acr},
    d.consent_evidence, d.consented_at, d.aidant_id, now(), 'totp', null, null, null, d.demarches, d.read_only, d.single_use from mandate_draft d`;
const REPLACED: Readonly<Record<string, string>> = {
  $MANDATE_EIDAS2: MANDATE('d.usager_id', "'eidas2'"),
  $MANDATE_OTHER: MANDATE('(select id from usager where id <> d.usager_id limit 1)', 'd.consent_acr'),
  $MANDATE: MANDATE('d.usager_id', 'd.consent_acr'),
  $SESSION: `select 'dls_forged', 'g', '\\x00', m.id, 'logement', m.accepted_by, m.organisation_id, m.usager_id, s.id, 'eidas1', 'eidas1', '{}', now(), '{read}', gen_random_uuid(),
    gen_random_uuid(), now(), now() + interval '1 minute', null, null, null`,
  $FROM: "from mandate m, (select id from service limit 1) s where m.id = '$NARROW'",
};

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
    });
    after(() => world.close());

    /** One row of every kind that a will leaves, and what they are called in the attempts. */
    const wills = async (): Promise<Record<string, string>> => {
      const who = await whoIs(world);
      const mandates = mandatesOf(world.app, world);
      const colette = await personOf(world, 'colette');
      const closed = await consented(world, mandates, who, colette, ['famille']);
      await mandates.abandon(who, closed.id);
      const open = await consented(world, mandates, who, colette, ['social']);
      const ended = await agreed(world, 'jean', ['famille']);
      await mandates.revokeByUsager(ended.usagerId, ended.id);
      const drafted = await mandates.draft(who, ['logement'], 1);
      assert.ok('draft' in drafted);
      const made = await world.app.site.phoneLinks.make(who, drafted.draft.id);
      assert.ok('secret' in made);
      await world.app.site.phoneLinks.decline(made.secret);
      const sheet = await sheetFor(world, who, typedPerson());
      await papersOf(world.app, world).witness(await whoIs(world, 'ines'), sheet.id, sheet.textHash, '');
      const waiting = await sheetFor(world, who, typedPerson({ familyName: 'Robin' }));
      const pdf = Buffer.from('%PDF-1.4\n%%EOF');
      assert.ok('added' in (await world.app.site.scans.add(who, sheet.id, pdf)));
      const narrow = await agreed(world, 'robert', ['logement']);
      await world.app.site.stopping.byLetter({ code: '2'.repeat(24), birthdate: '1900-01-01' }, '192.0.2.1');
      for (const text of [
        // As the owner: what was agreed narrowly, and what leaves rows only with a telephone or a browser in hand.
        `update mandate set demarches = '[{"code": "x.paiements", "service": "x", "fr": "x", "en": "x"}]', single_use = true where id = '${narrow.id}'`,
        `insert into channel (id, usager_id, kind, address, added_by, added_at, verified_at) values ('chn_x', '${colette}', 'phone', '+33639980100', 'usager', now(), now())`,
        "insert into delivery (id, kind, target, created_at, next_at) values ('dlv_x', 'sms', '', now(), now())",
        `insert into remote_consent (id, reference, draft_id, usager_id, channel_id, phone, text_hash, delivery_id, state, asked_at, expires_at)
          values ('rcs_kept', repeat('r', 22), '${open.id}', '${colette}', 'chn_x', '+33639980100', decode(repeat('11', 32), 'hex'), 'dlv_x', 'asked', now(), now() + interval '1 hour')`,
        "update remote_consent set state = 'no', ended_at = now(), evidence = decode(repeat('11', 32), 'hex'), evidence_box = '\\x00' where id = 'rcs_kept'",
        `insert into passkey (id, credential_id, staff_id, name, public_key, counter, transports, synced, created_at, revoked_at)
          values ('psk_x', 'x', '${who.aidantId}', 'x', '\\x01', 0, '{}', false, now(), now())`,
        `insert into recovery_code values ('${who.aidantId}', decode(repeat('00', 32), 'hex'), now(), now())`,
        `insert into passkey_challenge values (decode(repeat('00', 32), 'hex'), decode(repeat('00', 32), 'hex'), '${who.aidantId}', 'mandate', now(), now())`,
        `insert into loss_link values (decode(repeat('00', 32), 'hex'), '${who.aidantId}', true, now(), now() + interval '1 hour', now())`,
      ])
        await world.sql(text);
      return { $CLOSED: closed.id, $AGREED: open.id, $ENDED: ended.id, $WAITING: waiting.id, $NARROW: narrow.id };
    };

    test(`M20 as the application's role, no will is forged, replaced, widened or hidden (${kind.kind})`, {
      database: kind.kind,
      atLeast: 40,
    }, async () => {
      const names = { ...REPLACED, ...(await wills()) };
      const tables =
        'mandate mandate_grant mandate_draft attestation remote_consent paper_consent paper_scan phone_link passkey recovery_code passkey_challenge loss_link stop_try delegated_session journal_keys.person_key journal_keys.period_key';
      const state = () =>
        world.sql(
          tables
            .split(' ')
            .map((table) => `select '${table}' t, to_jsonb(x)::text row from ${table} x`)
            .join(' union all ')
            .concat(' order by 1, 2'),
        );
      const before = await state();
      for (const [what, sql, why] of FORGERIES) {
        let text = sql;
        for (const [name, value] of Object.entries(names)) text = text.replaceAll(name, value);
        for (const [name, value] of Object.entries(names)) text = text.replaceAll(name, value);
        const statement: Statement = { name: `forged-${what.replaceAll(/\W/g, '-')}`.slice(0, 60), text, values: [] };
        const error = await world.database
          .run((tx) => rows(tx, statement))
          .then(
            () => undefined,
            (reason: unknown) => reason,
          );
        const code = error instanceof Error && 'code' in error ? String(error.code) : undefined;
        // 42501: no right. 23514: a guard.
        assert.ok(code === '42501' || code === '23514', `${what}: ${code ?? 'it was done'} ${String(error)}`);
        if (why) assert.match(String(error), why, what);
      }
      assert.deepEqual(await state(), before);
    });
  });
