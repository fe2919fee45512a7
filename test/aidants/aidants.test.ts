import { asParty } from '../../src/aidants/aidant.ts';
import { base32, stepAt } from '../../src/aidants/code.ts';
import type { Invitation } from '../../src/aidants/enrolment.ts';
import { createNextUnusedCode } from '../../src/aidants/next-code.ts';
import { totp } from '../../src/kernel/crypto.ts';
import { isId } from '../../src/kernel/ids.ts';
import { meansStore } from '../../src/persistence/aidants.ts';
import { assert, test } from '../support/check.ts';
import { frozenClock } from '../support/clock.ts';
import { databases } from '../support/database.ts';
import { enrol, granted, house, queued, totpKek } from '../support/staff.ts';

const ISS = 'https://proconnect.test';
const karim = { givenName: 'Karim', familyName: 'Benali', email: 'Karim.Benali@thenac.example', actor: 'cli' };
const mairie = { name: 'Mairie de Thénac', siret: '21750001600019', themes: ['famille', 'logement', 'argent'], actor: 'cli' };

test('base 32 follows the vectors of RFC 4648', () => {
  for (const [text, coded] of [
    ['', ''],
    ['f', 'MY'],
    ['fo', 'MZXQ'],
    ['foo', 'MZXW6'],
    ['foob', 'MZXW6YQ'],
    ['fooba', 'MZXW6YTB'],
    ['foobar', 'MZXW6YTBOI'],
  ] as const)
    assert.equal(base32(Buffer.from(text)), coded);
});

for (const kind of databases()) {
  test(`enrolment on ${kind.kind}: a link acts once, on POST, for a day, for the account that began`, { database: kind.kind }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const clock = frozenClock();
      const it = await house(database, clock);
      const { organisation } = granted(await it.organisations.add(mairie));
      const delivered: Invitation[] = [];
      const invitation = granted(
        await it.aidants.invite({ ...karim, organisationId: organisation.id, themes: ['famille'] }, async (_tx, sent) => void delivered.push(sent)),
      );
      assert.deepEqual(delivered, [invitation]);
      assert.equal(invitation.staff.email, 'karim.benali@thenac.example');
      assert.ok(isId('aid', invitation.staff.id));
      assert.deepEqual(await it.aidants.invite({ ...karim, organisationId: organisation.id }), { refused: 'email_known' });
      const stored = await database.asOwner((query) => query('select token_hash from enrolment'));
      assert.ok(!JSON.stringify(stored).includes(invitation.token));

      const me = { iss: ISS, sub: 'karim' };
      for (let i = 0; i < 3; i++) assert.ok('staff' in (await it.aidants.openEnrolment(invitation.token))); // GET, three times: nothing happens
      assert.deepEqual(await it.aidants.openEnrolment('x'), { refused: 'link_unknown' });
      assert.deepEqual(await it.aidants.recognise(ISS, 'karim'), { refused: 'not_habilitated' });
      assert.deepEqual(await it.aidants.confirmEnrolment(invitation.token, me, '000000'), { refused: 'not_begun' });
      const twice = await Promise.all([1, 2].map(() => it.aidants.beginEnrolment(invitation.token, me)));
      assert.equal(twice.filter((answer) => 'refused' in answer && answer.refused === 'link_used').length, 1);
      const pending = twice.find((answer) => 'seed' in answer);
      assert.ok(pending && 'seed' in pending);
      assert.match(pending.otpauth, /^otpauth:\/\/totp\/Relais:karim\.benali%40thenac\.example\?secret=[A-Z2-7]{32}&/);
      const again = granted(await it.aidants.pendingEnrolment(invitation.token, me));
      assert.deepEqual('seed' in again && again.seed, pending.seed);
      assert.deepEqual(await it.aidants.openEnrolment(invitation.token), { refused: 'link_used' });
      // Somebody else who has the link cannot finish in their place, nor is anybody linked before the code is proved.
      assert.deepEqual(await it.aidants.confirmEnrolment(invitation.token, { iss: ISS, sub: 'eve' }, '000000'), { refused: 'identity_differs' });
      assert.deepEqual(await it.aidants.recognise(ISS, 'karim'), { refused: 'not_habilitated' });
      assert.equal(
        ((await it.means.verifyCode(invitation.staff.id, totp(pending.seed, stepAt(clock.now())), 'sign-in')) as { refused?: string }).refused,
        'no_factor',
      );
      assert.deepEqual(await it.aidants.confirmEnrolment(invitation.token, me, '12345'), { refused: 'wrong_code' });
      const done = granted(await it.aidants.confirmEnrolment(invitation.token, me, totp(pending.seed, stepAt(clock.now()))));
      assert.equal('staff' in done && done.staff.status, 'active');
      assert.deepEqual(await it.aidants.confirmEnrolment(invitation.token, me, totp(pending.seed, stepAt(clock.now()))), {
        refused: 'already_enrolled',
      });
      const found = granted(await it.aidants.recognise(ISS, 'karim'));
      assert.deepEqual(
        found.memberships.map((m) => [m.organisation.name, m.themes, m.referent]),
        [['Mairie de Thénac', ['famille'], false]],
      );
      assert.deepEqual(await queued(database), [
        'organisation.habilitated',
        'aidant.habilitated',
        'enrolment.begun',
        'factor.refused',
        'factor.refused',
        'factor.enrolled',
      ]);
    } finally {
      await drop();
    }
  });

  test(`enrolment on ${kind.kind}: a link of yesterday and a replaced link do nothing; an account serves one person`, {
    database: kind.kind,
  }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const clock = frozenClock();
      const it = await house(database, clock);
      const { organisation } = granted(await it.organisations.add(mairie));
      const first = granted(await it.aidants.invite({ ...karim, organisationId: organisation.id }));
      const second = granted(await it.aidants.reinvite(first.staff.id));
      assert.deepEqual(await it.aidants.beginEnrolment(first.token, { iss: ISS, sub: 'k' }), { refused: 'link_unknown' });
      clock.advance(86_400_000);
      assert.deepEqual(await it.aidants.beginEnrolment(second.token, { iss: ISS, sub: 'k' }), { refused: 'link_expired' });
      const third = granted(await it.aidants.reinvite(first.staff.id));
      await enrol(it, third, 'k', clock);
      assert.deepEqual(await it.aidants.reinvite(first.staff.id), { refused: 'not_invited' });
      const ines = granted(await it.aidants.invite({ ...karim, email: 'ines@x.example', organisationId: organisation.id }));
      assert.deepEqual(await it.aidants.beginEnrolment(ines.token, { iss: ISS, sub: 'k' }), { refused: 'identity_taken' });
      await enrol(it, ines, 'i', clock);
      // Whoever approves as a second opérateur is somebody else at ProConnect, whatever they were invited as.
      const alice = granted(await it.aidants.inviteOperateur({ ...karim, email: 'alice@x.example' }));
      assert.deepEqual(await it.aidants.beginEnrolment(alice.token, { iss: ISS, sub: 'k' }), { refused: 'identity_taken' });
      await enrol(it, alice, 'a', clock);
      const again = granted(await it.aidants.inviteOperateur({ ...karim, email: 'alice.bis@x.example' }));
      assert.deepEqual(await it.aidants.beginEnrolment(again.token, { iss: ISS, sub: 'a' }), { refused: 'identity_taken' });
      // U5: the same sub at another issuer is another account.
      assert.deepEqual(await it.aidants.recognise('https://franceconnect.test', 'k'), { refused: 'not_habilitated' });
      assert.equal(granted(await it.aidants.recognise(ISS, 'i')).staff.id, ines.staff.id);
      assert.deepEqual(await it.aidants.recognise(ISS, 'ines@x.example'), { refused: 'not_habilitated' });
    } finally {
      await drop();
    }
  });

  test(`M14 S7 a leaver on ${kind.kind} is out at once; M13 a suspended organisation too; nothing else changes`, {
    database: kind.kind,
  }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const clock = frozenClock();
      const ended: unknown[] = [];
      const it = await house(database, clock, async (_tx, whose) => ended.push(whose));
      const { organisation: a } = granted(await it.organisations.add(mairie));
      const { organisation: b } = granted(
        await it.organisations.add({ ...mairie, name: 'CCAS de Saintes', siret: '35600000000048', themes: ['famille'] }),
      );
      const invitation = granted(await it.aidants.invite({ ...karim, organisationId: a.id, referent: true }));
      const { id } = invitation.staff;
      await enrol(it, invitation, 'k', clock);
      assert.deepEqual(await it.aidants.join(id, { organisationId: b.id, themes: ['argent'], actor: 'cli' }), {
        refused: 'theme_outside_organisation',
      });
      assert.deepEqual(await it.aidants.join(id, { organisationId: b.id, actor: 'cli' }), { joined: true });
      assert.deepEqual(await it.aidants.join(id, { organisationId: b.id, actor: 'cli' }), { refused: 'already_member' });
      const names = async () => granted(await it.aidants.standing(id)).memberships.map((m) => m.organisation.name);
      assert.deepEqual(await names(), ['CCAS de Saintes', 'Mairie de Thénac']);
      assert.deepEqual(await it.aidants.remove(id, a.id, { reason: 'départ', actor: 'cli' }), { sessions: 1 });
      assert.deepEqual(await it.aidants.remove(id, a.id, { reason: 'départ', actor: 'cli' }), { refused: 'not_member' });
      assert.deepEqual(await names(), ['CCAS de Saintes']);
      granted(await it.organisations.suspend(b.id, { reason: 'contrôle', actor: 'cli' }));
      assert.deepEqual(await it.aidants.standing(id), { refused: 'organisation_suspended' });
      assert.deepEqual(await it.aidants.join(id, { organisationId: b.id, actor: 'cli' }), { refused: 'organisation_suspended' });
      assert.deepEqual(await it.aidants.join(id, { organisationId: a.id, actor: 'cli' }), { joined: true });
      granted(await it.aidants.suspend(id, { reason: 'téléphone perdu', actor: 'cli' }));
      assert.deepEqual(await it.aidants.standing(id), { refused: 'aidant_suspended' });
      assert.deepEqual(await it.aidants.suspend(id, { reason: 'encore', actor: 'cli' }), { refused: 'not_active' });
      assert.deepEqual(ended, [{ aidantId: id, organisationId: a.id }, { organisationId: b.id }, { aidantId: id }]);
    } finally {
      await drop();
    }
  });

  test(`a code on ${kind.kind}: one step around now, each step once and later than the last; ten wrong ones lock for 15 minutes`, {
    database: kind.kind,
  }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const clock = frozenClock();
      const it = await house(database, clock);
      const { organisation } = granted(await it.organisations.add(mairie));
      const invitation = granted(await it.aidants.invite({ ...karim, organisationId: organisation.id }));
      const seed = await enrol(it, invitation, 'k', clock);
      const { id } = invitation.staff;
      const next = createNextUnusedCode({ transactions: database, store: meansStore, clock, kek: totpKek });
      const code = (offset: number) => totp(seed, stepAt(clock.now()) + offset);
      const verify = (typed: unknown) => it.means.verifyCode(id, typed, 'sign-in');
      assert.deepEqual(await verify(code(-1)), { refused: 'code_already_used' }); // the enrolment used it
      assert.equal((await next(id))?.code, code(0));
      assert.deepEqual(await verify(` ${code(0).slice(0, 3)} ${code(0).slice(3)}`), { accepted: true, step: stepAt(clock.now()) });
      assert.deepEqual(await verify(code(0)), { refused: 'code_already_used' });
      assert.deepEqual(await verify(code(1)), { accepted: true, step: stepAt(clock.now()) + 1 });
      assert.equal((await next(id))?.code, code(2));
      assert.ok(((await next(id))?.from ?? clock.now()) > clock.now());
      assert.deepEqual(await verify(code(2)), { refused: 'wrong_code' });
      clock.advance(120_000);
      assert.deepEqual(await verify(code(-2)), { refused: 'wrong_code' });
      for (const typed of [undefined, '', 'abcdef', '1234567', 123456, `${code(0)}0`, {}])
        assert.deepEqual(await verify(typed), { refused: 'wrong_code' });
      const until = new Date(clock.now().getTime() + 900_000);
      assert.deepEqual(await verify('x'), { refused: 'too_many_codes', until }); // the tenth
      assert.deepEqual(await verify(code(0)), { refused: 'too_many_codes', until });
      clock.advance(900_001);
      assert.deepEqual(await verify('x'), { refused: 'wrong_code' });
      assert.equal('accepted' in (await verify(code(0))), true);
      const seeds = await database.asOwner((query) => query('select seed_box from totp'));
      assert.ok(!Buffer.from(seeds[0]?.['seed_box'] as Uint8Array).includes(seed));
      const rows = await database.asOwner((query) =>
        query("select type, count(*)::int as n from journal.queue where type like 'factor.%' group by type order by type"),
      );
      assert.deepEqual(rows, [
        { type: 'factor.accepted', n: 3 },
        { type: 'factor.enrolled', n: 1 },
        { type: 'factor.refused', n: 14 },
      ]);
      assert.deepEqual(asParty(id), { aidant: id });
    } finally {
      await drop();
    }
  });

  test(`a code on ${kind.kind} used by twenty at once is accepted once; in a caller's transaction that fails it is not used up`, {
    database: kind.kind,
  }, async () => {
    const { database, drop } = await kind.fresh();
    try {
      const clock = frozenClock();
      const it = await house(database, clock);
      const invitation = granted(await it.aidants.inviteOperateur(karim));
      const seed = await enrol(it, invitation, 'k', clock);
      const { id } = invitation.staff;
      const code = totp(seed, stepAt(clock.now()));
      await assert.rejects(
        database.run(async (tx) => {
          assert.equal('accepted' in (await it.means.verifyCodeIn(tx, id, code, 'mandate')), true);
          throw new Error('the caller failed');
        }),
      );
      const answers = await Promise.all(Array.from({ length: 20 }, () => it.means.verifyCode(id, code, 'mandate')));
      assert.equal(answers.filter((answer) => 'accepted' in answer).length, 1);
      assert.equal(answers.filter((answer) => 'refused' in answer && answer.refused === 'code_already_used').length, 19);
      const wrong = await Promise.all(Array.from({ length: 20 }, () => it.means.verifyCode(id, '', 'sign-in')));
      assert.equal(wrong.filter((answer) => 'refused' in answer && answer.refused === 'wrong_code').length, 9);
      assert.equal(wrong.filter((answer) => 'refused' in answer && answer.refused === 'too_many_codes').length, 11);
      assert.equal((await queued(database)).filter((type) => type.startsWith('factor.')).length, 1 + 20 + 20);
    } finally {
      await drop();
    }
  });
}
