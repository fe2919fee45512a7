import { after, before, describe } from 'node:test';
import { newId } from '../../src/kernel/ids.ts';
import type { Mandate } from '../../src/mandates/mandate.ts';
import { prepareMandate } from '../../src/practice/story.ts';
import { formOf, textOf, Walker } from '../../src/practice/walker.ts';
import {
  agreed,
  begin,
  confirm,
  confirmation,
  consented,
  csrfOf,
  entriesSince,
  eventOf,
  inesAt,
  inTheMorning,
  introspectAt,
  mandatesOf,
  mark,
  ownToken,
  personOf,
  post,
  redeemAt,
  reportAt,
  resume,
  securitySince,
  selectStructure,
  sessionOf,
  userinfoAt,
  whoIs,
} from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { actFor, authorize, delegatedTokens, openWorld, redeem, signedInAidant, type TestService, type World } from '../support/world.ts';

const codeOn = (text: string): string | undefined => /Code à donner si vous appelez l’aide : ([a-z_]+)/.exec(text)?.[1];

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    let karim: Walker;
    let service: TestService;
    const on = { database: kind.kind };
    const title = (text: string): string => `${text} (${kind.kind})`;

    /** Asks to act, confirms, and gives what the page said and what was written down. */
    const tryToAct = async (walker: Walker, mandate: Mandate, theme: Mandate['themes'][number]['theme'] = 'logement', scope?: string) => {
      const csrf = await csrfOf(world, walker);
      const begun = await begin(walker, service, scope);
      const from = await mark(world);
      const security = world.logged.length;
      const answer = await confirm(world, walker, begun, confirmation(mandate, theme, csrf));
      const code = codeOn(textOf({ html: await answer.text() } as never));
      return { status: answer.status, code, entries: await entriesSince(world, from), lines: securitySince(world, security), begun };
    };
    const sessionsOf = async (mandateId: string): Promise<number> =>
      Number((await world.sql('select count(*)::int n from delegated_session where mandate_id = $1', [mandateId]))[0]?.['n']);
    const oneRefusal = (tried: Awaited<ReturnType<typeof tryToAct>>, status: number, code: string): void => {
      assert.deepEqual([tried.status, tried.code], [status, code]);
      assert.deepEqual(
        tried.entries.map((entry) => [entry.type, entry.outcome, (entry.detail as { reason?: string } | null)?.reason]),
        [['session.refused', 'refused', code]],
      );
      assert.equal(tried.lines.length, 0);
    };

    before(async () => {
      world = await openWorld(kind);
      inTheMorning(world);
      service = await world.service('m-service');
      karim = await signedInAidant(world);
    });
    after(() => world.close());

    test(
      title('M2 a theme outside the habilitation of the aidant, or of the structure, is refused at the draft, at use, and in a session that is open'),
      on,
      async () => {
        const who = await whoIs(world);
        const mandate = await agreed(world, 'jean', ['logement']);
        const { tokens } = await delegatedTokens(world, karim, service, 'Jean Petit');
        assert.ok((await introspectAt(world, service, tokens.access_token)).active);
        const csrf = await csrfOf(world, karim);
        for (const [table, condition, values] of [
          ['membership', 'aidant_id = $1 and organisation_id = $2', [who.aidantId, who.organisationId]],
          ['organisation', 'id = $1', [who.organisationId]],
        ] as const) {
          const all = (await world.sql(`select themes from ${table} where ${condition}`, [...values]))[0]?.['themes'];
          const set = (themes: unknown) => world.sql(`update ${table} set themes = $${values.length + 1} where ${condition}`, [...values, themes]);
          await set(['famille']);
          oneRefusal(await tryToAct(karim, mandate), 403, 'theme_not_covered');
          assert.deepEqual(await introspectAt(world, service, tokens.access_token), { active: false }, 'what was open is not any more');
          const listed = await begin(karim, service);
          const page = await karim.open(`${world.places.relais}/interaction/${listed.uid}`);
          assert.ok(!textOf(page).includes('Jean Petit'), 'the person is not offered');
          const from = await mark(world);
          const drafted = await post(world, karim, '/aidant/mandats/nouveau/duree', { _csrf: csrf, themes: ['logement'], days: '31' });
          assert.deepEqual([drafted.status, codeOn(textOf({ html: await drafted.text() } as never))], [403, 'theme_not_covered']);
          assert.deepEqual(
            (await entriesSince(world, from)).map((entry) => entry.type),
            ['mandate.refused'],
          );
          await set(all);
          assert.ok((await introspectAt(world, service, tokens.access_token)).active, 'only the habilitation had changed');
        }
        assert.equal(await sessionsOf(mandate.id), 1);
      },
    );

    test(title('M4 a draft, a recap without the acceptance, without the consent, or a mandate that has not begun opens nothing'), on, async () => {
      const who = await whoIs(world);
      const mandates = mandatesOf(world.app, world);
      const drafted = await mandates.draft(who, ['logement'], 31);
      assert.ok('draft' in drafted);
      const hash = Buffer.alloc(32);
      assert.deepEqual(await mandates.accept(who, drafted.draft.id, hash, ''), { refused: 'consent_missing' });
      const colette = await personOf(world, 'colette');
      const agreedTo = await consented(world, mandates, who, colette, ['logement']);
      assert.deepEqual(await world.sql('select 1 from mandate where usager_id = $1', [colette]), [], 'consent alone makes no mandate');
      const csrf = await csrfOf(world, karim);
      for (const id of [drafted.draft.id, agreedTo.id, `man_${agreedTo.id.slice(4)}`, newId('man')]) {
        const begun = await begin(karim, service);
        const answer = await confirm(world, karim, begun, { _csrf: csrf, person: id, theme: 'logement', organisation: who.organisationId });
        assert.ok([400, 404].includes(answer.status), `${id}: ${answer.status}`);
        await answer.body?.cancel();
      }
      const mandate = await agreed(world, 'colette', ['logement']);
      await world.sql('update mandate set starts_at = $2 where id = $1', [mandate.id, new Date(Date.now() + 3_600_000)]);
      oneRefusal(await tryToAct(karim, mandate), 410, 'mandate_ended');
      await world.sql('update mandate set starts_at = $2 where id = $1', [mandate.id, mandate.startsAt]);
      assert.equal((await tryToAct(karim, mandate)).status, 303, 'once it has begun, it opens');
      assert.equal(await sessionsOf(mandate.id), 1);
      await mandates.revokeByUsager(colette, mandate.id);
    });

    test(title('M3 one second after the end: refused at authorize, code, userinfo, introspection and report'), on, async () => {
      const mandate = await agreed(world, 'colette', ['logement'], 1);
      world.advance(mandate.endsAt.getTime() - Date.now() - 300_000); // five minutes before midnight in Paris: codes may take one of them
      karim = await signedInAidant(world);
      const other = await inesAt(world, 'Thénac');
      world.advance(mandate.endsAt.getTime() - Date.now() - 20_000);
      const csrf = await csrfOf(world, karim);
      const used = await delegatedTokens(world, karim, service, 'Colette Martin');
      const session = sessionOf(used.claims);
      const token = used.tokens.access_token;
      assert.ok((await introspectAt(world, service, token)).active);
      const [detail] = (used.claims?.['authorization_details'] ?? []) as { valid_to: string }[];
      assert.ok(detail?.valid_to.startsWith(`${dayAfter(mandate.startsAt)}T00:00:00`), detail?.valid_to);
      assert.equal(Date.parse(detail?.valid_to ?? ''), mandate.endsAt.getTime());
      const waiting = await begin(karim, service);
      await karim.open(`${world.places.relais}/interaction/${waiting.uid}`); // the page that offers her is open
      const redirected = await authorize(service, 'openid dlg:logement');
      world.advance(mandate.endsAt.getTime() - Date.now() - 5_000);
      const coded = await actFor(other, service, redirected, 'Colette Martin');
      assert.ok(coded.url.searchParams.get('code'));
      const written = await mark(world);
      const issued = Number((await world.sql("select count(*)::int n from oidc_artefact where model = 'AccessToken'"))[0]?.['n']);

      world.advance(mandate.endsAt.getTime() - Date.now() + 1000);
      assert.deepEqual(await redeemAt(world, service, redirected, coded.url).then(({ status, body }) => [status, body.error]), [
        400,
        'invalid_grant',
      ]);
      assert.equal(await userinfoAt(world, token), 401);
      assert.deepEqual(await introspectAt(world, service, token), { active: false });
      const late = eventOf(service, session, 'late-1');
      assert.equal((await reportAt(world, token, late)).status, 401);
      const own = await ownToken(service);
      assert.deepEqual(await reportAt(world, own, late).then(({ status, body }) => [status, body.code]), [422, 'time_out_of_range']);
      const intime = eventOf(service, session, 'in-time-1', { time: new Date(mandate.endsAt.getTime() - 1000).toISOString() });
      assert.equal((await reportAt(world, own, intime)).status, 202, 'what was done before the end may still be said');
      // The job writes the end down later than it was: the end stays where it was.
      world.advance(10_000);
      await world.app.site.sessions.end({ expiredAt: new Date() }, 'time');
      const between = eventOf(service, session, 'late-2', { time: new Date(mandate.endsAt.getTime() + 5000).toISOString() });
      assert.deepEqual(await reportAt(world, own, between).then(({ status, body }) => [status, body.code]), [422, 'time_out_of_range']);
      const answer = await confirm(world, karim, waiting, confirmation(mandate, 'logement', csrf));
      assert.deepEqual([answer.status, codeOn(textOf({ html: await answer.text() } as never))], [410, 'mandate_ended']);
      const fresh = await begin(karim, service);
      const page = await karim.open(`${world.places.relais}/interaction/${fresh.uid}`);
      assert.ok(!textOf(page).includes('Colette Martin'), 'she is not offered any more');
      assert.equal(
        Number((await world.sql("select count(*)::int n from oidc_artefact where model = 'AccessToken'"))[0]?.['n']) <= issued,
        true,
        'no token more',
      );
      const since = (await entriesSince(world, written)).map((entry) => entry.type);
      assert.deepEqual(
        ['action.refused', 'action.reported', 'session.refused', 'token.issued', 'session.opened'].map(
          (type) => since.filter((each) => each === type).length,
        ),
        [2, 1, 1, 0, 0],
      );
      assert.equal((await world.app.site.mandates.expireOverdue()) >= 0, true);
      const [row] = await world.sql('select end_reason from mandate where id = $1', [mandate.id]);
      assert.equal(row?.['end_reason'], 'expired');
    });

    test(title('M8 ids, dates, themes, person and hash changed in a form: the value of the server wins, and a refusal is written'), on, async () => {
      const csrf = await csrfOf(world, karim);
      const who = await whoIs(world);
      const drafts = async (): Promise<number> => Number((await world.sql('select count(*)::int n from mandate_draft'))[0]?.['n']);
      const before = await drafts();
      for (const fields of [
        { themes: ['logement'], days: '366' },
        { themes: ['logement'], days: '0' },
        { themes: ['logement'], days: '-31' },
        { themes: ['logement'], days: '31.5' },
        { themes: ['logement'], days: '1e2' },
        { themes: ['logement'], days: 'NaN' },
        { themes: ['tout'], days: '31' },
        { themes: [] as string[], days: '31' },
      ]) {
        const answer = await post(world, karim, '/aidant/mandats/nouveau/duree', { _csrf: csrf, ...fields });
        assert.ok(answer.status >= 400 && answer.status < 500, `${JSON.stringify(fields)}: ${answer.status}`);
        await answer.body?.cancel();
      }
      assert.equal(await drafts(), before, 'none of them made a recap');

      await prepareMandate(karim, world.places, { person: 'colette', themes: ['logement'], days: '31' });
      const form = formOf(karim.page as never, 'mandate-sign');
      const jean = await personOf(world, 'jean');
      const code = await world.code(world.places, 'Karim Benali');
      const from = await mark(world);
      const tampered = form.fields['text_hash']?.replace(/^./, (first) => (first === 'A' ? 'B' : 'A')) ?? '';
      const wrong = await karim.ask(form.action, { ...form.fields, said_aloud: 'yes', code, text_hash: tampered });
      assert.deepEqual([wrong.status, codeOn(textOf({ html: await wrong.text() } as never))], [409, 'usager_mismatch']);
      assert.deepEqual(
        (await entriesSince(world, from)).map((entry) => [entry.type, (entry.detail as { reason?: string } | null)?.reason]),
        [['mandate.refused', 'usager_mismatch']],
      );
      const signed = await karim.ask(form.action, {
        ...form.fields,
        said_aloud: 'yes',
        code, // not used up by the refusal
        themes: ['argent', 'social'],
        days: '365',
        ends_at: '2099-01-01',
        starts_at: '2000-01-01',
        person: jean,
        usager_id: jean,
        organisation: (await whoIs(world, 'ines', 'Saintes')).organisationId,
        aidant_id: (await whoIs(world, 'ines')).aidantId,
        reference: 'M-AAAA-AAAA',
      });
      assert.equal(signed.status, 303);
      const id = /man_[a-z0-9]+/.exec(signed.headers.get('location') ?? '')?.[0] ?? '';
      const made = await world.app.site.mandates.find(id as `man_${string}`);
      assert.ok(made);
      assert.deepEqual(
        [made.themes.map(({ theme }) => theme), made.days, made.organisationId, made.usagerName, made.acceptedBy],
        [['logement'], 31, who.organisationId, 'Madame Colette Martin', who.aidantId],
      );
      assert.ok(made.endsAt.getTime() - Date.now() < 32 * 86_400_000 && made.reference !== 'M-AAAA-AAAA');
      assert.deepEqual(await world.sql('select 1 from mandate where usager_id = $1 and accepted_at >= $2', [jean, made.startsAt]), []);

      // And where the aidant acts: a theme the mandate has not, one the service did not ask, another organisation.
      oneRefusal(await tryToAct(karim, made, 'famille'), 403, 'theme_not_covered');
      const both = await agreed(world, 'colette', ['famille', 'logement']);
      oneRefusal(await tryToAct(karim, both, 'famille', 'openid dlg:logement'), 403, 'theme_not_covered');
      const begun = await begin(karim, service);
      const security = world.logged.length;
      const elsewhere = await confirm(world, karim, begun, {
        ...confirmation(both, 'logement', csrf),
        organisation: (await whoIs(world, 'ines', 'Saintes')).organisationId,
      });
      assert.deepEqual([elsewhere.status, codeOn(textOf({ html: await elsewhere.text() } as never))], [409, 'other_organisation_selected']);
      assert.deepEqual(
        securitySince(world, security).map(({ line }) => line['code']),
        ['other_organisation_selected'],
      );
      const done = await confirm(world, karim, begun, {
        ...confirmation(both, 'logement', csrf),
        usager: jean,
        expires_at: '2099-01-01T00:00:00Z',
        privileges: 'change',
        acr: 'eidas2',
        service: 'impots',
      });
      assert.equal(done.status, 303);
      const [session] = await world.sql(
        "select service_id, usager_id = $2 hers, acr, privileges, expires_at - opened_at = interval '30 minutes' half from delegated_session where mandate_id = $1",
        [both.id, await personOf(world, 'colette')],
      );
      assert.deepEqual(session, { service_id: service.id, hers: true, acr: 'eidas1', privileges: ['declare'], half: true });
    });

    test(title('M7 nothing in common between mandate, service and what is asked: a clear page, and an entry'), on, async () => {
      const transports = (
        await world.app.site.mandates.ofOrganisation((await whoIs(world)).organisationId, {
          now: new Date(),
          name: 'Autrethème',
          after: undefined,
          limit: 5,
        })
      )[0];
      assert.ok(transports);
      const begun = await begin(karim, service);
      const page = await karim.open(`${world.places.relais}/interaction/${begun.uid}`);
      assert.ok(!textOf(page).includes('Autrethème'));
      const security = world.logged.length;
      const chosen = await karim.open(`${world.places.relais}/interaction/${begun.uid}?personne=${transports.id}`);
      assert.match(textOf(chosen), /Aucun mandat pour ce site/);
      assert.deepEqual(
        securitySince(world, security).map(({ line }) => line['code']),
        ['no_mandate_for_service'],
      );
      oneRefusal(await tryToAct(karim, transports, 'transports'), 403, 'theme_not_covered');
    });

    test(title('M9 an interaction belongs to its browser: another aidant, or the same with another cookie jar, has nothing'), on, async () => {
      const mandate = await agreed(world, 'jean', ['logement']);
      const begun = await begin(karim, service);
      const csrf = await csrfOf(world, karim);
      const other = await signedInAidant(world, 'courriel', 'Camille Courrier');
      const otherCsrf = await csrfOf(world, other);
      const sessions = await sessionsOf(mandate.id);
      for (const token of [csrf, otherCsrf]) {
        const answer = await confirm(world, other, begun, confirmation(mandate, 'logement', token));
        assert.ok([403, 410].includes(answer.status), String(answer.status));
        await answer.body?.cancel();
      }
      const blank = await new Walker().ask(`${world.places.relais}/interaction/${begun.uid}`);
      assert.equal(blank.status, 410);
      assert.equal(await sessionsOf(mandate.id), sessions);
      // With the library's cookies stolen, it is still the thief's own name and mandates that count, and the victim's form token that does not.
      for (const [key, cookie] of karim.cookies) if (/relais_interaction|relais_resume/.test(key)) other.cookies.set(key, cookie);
      const stolen = await confirm(world, other, begun, confirmation(mandate, 'logement', csrf));
      assert.equal(stolen.status, 403);
      assert.equal(await sessionsOf(mandate.id), sessions);
      const own = await confirm(world, other, begun, confirmation(mandate, 'logement', otherCsrf));
      assert.equal(own.status, 303);
      const [row] = await world.sql('select aidant_id from delegated_session where mandate_id = $1 order by opened_at desc, id desc limit 1', [
        mandate.id,
      ]);
      assert.equal(row?.['aidant_id'], (await whoIs(world, 'courriel')).aidantId, 'never in the name of the first aidant');
      const again = await confirm(world, karim, begun, confirmation(mandate, 'logement', csrf));
      const callback = await resume(karim, again, service);
      if (callback?.searchParams.get('code')) {
        const tokens = await redeem(service, begun.request, callback);
        const [mine] = await world.sql('select aidant_id from delegated_session where id = $1', [sessionOf(tokens.claims())]);
        assert.equal(mine?.['aidant_id'], (await whoIs(world)).aidantId, 'each browser has its own aidant');
      }
    });

    test(title('M23 an aidant is never the person: refused at the consent, at the acceptance, and at use'), on, async () => {
      const who = await whoIs(world);
      const from = await mark(world);
      const page = await prepareMandate(karim, world.places, { person: 'un-aidant', themes: ['logement'], days: '1' });
      assert.deepEqual([page.status, codeOn(textOf(page))], [403, 'self_dealing']);
      assert.deepEqual(
        (await entriesSince(world, from))
          .filter((entry) => entry.type === 'mandate.refused')
          .map((entry) => (entry.detail as { reason: string }).reason),
        ['self_dealing'],
      );
      assert.deepEqual(await world.sql("select 1 from mandate m join usager u on u.id = m.usager_id where u.family_name = 'Benali'"), []);
      // Somebody who becomes the person afterwards (a name learnt late): the same answer where it is accepted, and where it is used.
      const mandates = mandatesOf(world.app, world);
      const rosa = await personOf(world, 'etranger');
      const ready = await consented(world, mandates, who, rosa, ['logement']);
      const before = await agreed(world, 'etranger', ['logement']);
      await world.sql("update usager set given_name = 'KARIM', family_name = 'BÉNALI' where id = $1", [rosa]);
      assert.deepEqual(await mandates.accept(who, ready.id, ready.hash, ''), { refused: 'self_dealing' });
      oneRefusal(await tryToAct(karim, before), 403, 'self_dealing');
      assert.equal(await sessionsOf(before.id), 0);
    });

    test(title('minors: refused at the consent, on the page and in the journal; the day of eighteen they are not'), on, async () => {
      const from = await mark(world);
      const page = await prepareMandate(karim, world.places, { person: 'mineur', themes: ['logement'], days: '1' });
      assert.deepEqual([page.status, codeOn(textOf(page))], [403, 'minor']);
      assert.deepEqual(
        (await entriesSince(world, from))
          .filter((entry) => entry.type === 'mandate.refused')
          .map((entry) => (entry.detail as { reason: string }).reason),
        ['minor'],
      );
      const who = await whoIs(world);
      const mandates = mandatesOf(world.app, world);
      const today = new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Paris' }).format(new Date());
      const year = Number(today.slice(0, 4)) - 18;
      const tomorrow = new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Paris' }).format(new Date(Date.now() + 86_400_000));
      const consent = { method: 'franceconnect', acr: 'eidas1', evidence: Buffer.alloc(32) } as const;
      for (const [birthdate, expected] of [
        [`${year}${today.slice(4)}`, undefined],
        [`${year}${tomorrow.slice(4)}`, 'minor'],
      ] as const) {
        const person = await personOf(world, `majorite-${birthdate}`, { birthdate, family_name: `Majeur${birthdate.slice(-2)}` });
        const drafted = await mandates.draft(who, ['logement'], 1);
        assert.ok('draft' in drafted);
        const answer = await mandates.consent(who, drafted.draft.id, person, consent);
        assert.equal('refused' in answer ? answer.refused : undefined, expected);
      }
    });

    test(title('M14 an aidant who leaves is out at once, and the mandates stay with the structure'), on, async () => {
      const camille = await signedInAidant(world, 'courriel', 'Camille Courrier');
      const who = await whoIs(world, 'courriel');
      const mandate = await agreed(world, 'jean', ['logement'], 31, who);
      const { tokens } = await delegatedTokens(world, camille, service, 'Jean Petit');
      const waiting = await begin(camille, service);
      const csrf = await csrfOf(world, camille);
      const removed = await world.app.aidants.remove(who.aidantId, who.organisationId, { actor: 'cli', reason: 'départ de la structure' });
      assert.ok('sessions' in removed && removed.sessions >= 1);
      assert.deepEqual(await introspectAt(world, service, tokens.access_token), { active: false });
      assert.equal(await userinfoAt(world, tokens.access_token), 401);
      const confirmed = await confirm(world, camille, waiting, confirmation(mandate, 'logement', csrf));
      assert.ok(confirmed.status >= 400 || !(confirmed.headers.get('location') ?? '').includes('/oidc/'), `${confirmed.status}`);
      await confirmed.body?.cancel();
      const home = await camille.open(`${world.places.relais}/aidant`);
      assert.ok(!textOf(home).includes('Jean Petit'));
      assert.deepEqual(await world.sql('select id from live_session($2) where aidant_id = $1', [who.aidantId, new Date()]), []);
      const still = await world.app.site.mandates.find(mandate.id);
      assert.deepEqual(still?.state, { kind: 'active' });
      const { claims } = await delegatedTokens(world, karim, service, 'Jean Petit');
      assert.ok(claims, 'a colleague goes on with it');
    });

    test(title('M15 another structure selected in one tab: the other tab does nothing for the first'), on, async () => {
      const there = await whoIs(world, 'ines', 'Saintes');
      const atSaintes = await agreed(world, 'colette', ['logement'], 31, there);
      const tabs = await inesAt(world, 'Saintes');
      const { tokens } = await delegatedTokens(world, tabs, service, 'Colette Martin');
      const old = await begin(tabs, service);
      const page = await tabs.open(`${world.places.relais}/interaction/${old.uid}?personne=${atSaintes.id}`);
      const oldTab = formOf(page, 'confirm');
      assert.equal(oldTab.fields['organisation'], there.organisationId);
      const before = await sessionsOf(atSaintes.id);
      const from = await mark(world);
      await selectStructure(world, tabs, 'Thénac');
      assert.deepEqual(await introspectAt(world, service, tokens.access_token), { active: false }, 'what was open for the first has ended');
      const stale = await tabs.ask(oldTab.action, oldTab.fields);
      assert.equal(stale.status, 403, "the old tab's form is of a session that is over");
      await stale.body?.cancel();
      const csrf = await csrfOf(world, tabs);
      const forced = await tabs.ask(oldTab.action, { ...oldTab.fields, _csrf: csrf });
      assert.deepEqual([forced.status, codeOn(textOf({ html: await forced.text() } as never))], [409, 'other_organisation_selected']);
      const thenac = (await whoIs(world, 'ines', 'Thénac')).organisationId;
      const crossed = await tabs.ask(oldTab.action, { ...oldTab.fields, _csrf: csrf, organisation: thenac });
      assert.deepEqual([crossed.status, codeOn(textOf({ html: await crossed.text() } as never))], [404, 'not_found']);
      assert.equal(await sessionsOf(atSaintes.id), before, 'no session was opened');
      const types = (await entriesSince(world, from)).map((entry) => entry.type);
      assert.deepEqual(types.filter((type) => ['organisation.switched', 'session.ended', 'session.refused'].includes(type)).sort(), [
        'organisation.switched',
        'session.ended',
        'session.refused',
      ]);
    });

    test(title('M13 a suspended structure: its mandates open nothing, what was open stops, and its history is intact'), on, async () => {
      const there = await whoIs(world, 'ines', 'Saintes');
      const mandate = await agreed(world, 'colette', ['logement'], 31, there);
      const ines = await inesAt(world, 'Saintes');
      const { tokens, claims } = await delegatedTokens(world, ines, service, 'Colette Martin');
      const session = sessionOf(claims);
      assert.equal((await reportAt(world, tokens.access_token, eventOf(service, session, 'before-suspension'))).status, 202);
      const waiting = await begin(ines, service);
      const csrf = await csrfOf(world, ines);
      const history = await world.sql('select idx, leaf_hash from journal.leaf where idx < $1 order by idx', [await mark(world)]);
      const done = await world.app.organisations.suspend(there.organisationId, { actor: 'cli', reason: 'manquement à la charte' });
      assert.ok(!('refused' in done));
      assert.deepEqual(await introspectAt(world, service, tokens.access_token), { active: false });
      assert.equal(await userinfoAt(world, tokens.access_token), 401);
      assert.equal((await reportAt(world, tokens.access_token, eventOf(service, session, 'after-suspension'))).status, 401);
      const security = world.logged.length;
      const confirmed = await confirm(world, ines, waiting, confirmation(mandate, 'logement', csrf));
      assert.ok(confirmed.status >= 400, String(confirmed.status));
      assert.ok(!(confirmed.headers.get('location') ?? '').includes('/oidc/'));
      await confirmed.body?.cancel();
      assert.ok(securitySince(world, security).length >= 1);
      const mandates = mandatesOf(world.app, world);
      assert.deepEqual(await mandates.draft(there, ['logement'], 1), { refused: 'organisation_suspended' });
      assert.deepEqual(await world.sql('select id from live_session($2) where organisation_id = $1', [there.organisationId, new Date()]), []);
      const [row] = await world.sql('select ended_at, usager_id from mandate where id = $1', [mandate.id]);
      assert.equal(row?.['ended_at'], null, 'the mandate is the usager’s to stop');
      const stopped = await world.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id);
      assert.ok('mandate' in stopped && stopped.mandate.state.kind === 'ended', 'and she still can');
      assert.deepEqual(await world.sql('select idx, leaf_hash from journal.leaf where idx < $1 order by idx', [history.length]), history);
      const report = await world.verifyJournal();
      assert.deepEqual(report.faults, []);
    });
  });

const dayAfter = (from: Date): string => new Intl.DateTimeFormat('en-CA', { timeZone: 'Europe/Paris' }).format(new Date(from.getTime() + 86_400_000));
