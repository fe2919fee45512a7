import { signInUsager } from '../../src/practice/story.ts';
import { textOf, Walker } from '../../src/practice/walker.ts';
import { agreed, backChannel, inTheMorning, until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { inEachWorld } from '../support/protocol.ts';
import { delegatedTokens, signedInAidant } from '../support/world.ts';

inEachWorld(({ world, kind }) => {
  const on = { database: kind } as const;
  const receiptsIn = (html: string) =>
    [...html.matchAll(/<span class="number">(\d+)<\/span>[\s\S]*?<code>([\w-]{43})<\/code>/g)].map(([, index, leaf]) => ({
      index: Number(index),
      leaf,
    }));

  test(
    'M18 each end has a receipt that the person and the structure find again: what stopped, when, who was told, and the line of the journal',
    on,
    async () => {
      const it = world();
      inTheMorning(it);
      const channel = await backChannel();
      try {
        const service = await it.service('recu-service', { backchannelLogoutUri: `${channel.origin}/logout` });
        const karim = await signedInAidant(it);
        const mandate = await agreed(it, 'colette', ['logement', 'social']);
        await delegatedTokens(it, karim, service, 'Colette Martin');
        const path = (space: string) => `${it.places.relais}/${space}/mandats/${mandate.id}/recu`;
        const colette = new Walker();
        await signInUsager(colette, it.places, 'colette');
        assert.equal((await colette.open(path('usager'))).status, 404, 'no end, no receipt');
        await it.app.site.mandates.revokeByUsager(mandate.usagerId, mandate.id, 'logement');
        it.app.site.nudgeDeliveries();
        assert.ok(await until(() => channel.received.length === 1));
        await it.app.site.mandates.renounce({ aidantId: mandate.acceptedBy, organisationId: mandate.organisationId }, mandate.id);
        await it.app.flushJournal();
        const stored = await it.sql(
          "select idx::int idx from journal.projection where mandate = $1 and type in ('mandate.revoked', 'mandate.renounced') order by idx desc",
          [mandate.id],
        );
        const hers = await colette.open(path('usager'));
        assert.deepEqual(
          receiptsIn(hers.html).map(({ index }) => index),
          stored.map((one) => one['idx']),
        );
        for (const { index, leaf } of receiptsIn(hers.html)) {
          const [found] = await it.sql('select leaf_hash from journal.leaf where idx = $1', [index]);
          assert.equal((found?.['leaf_hash'] as Buffer | undefined)?.toString('base64url'), leaf, 'the line that is in the journal');
        }
        assert.match(textOf(hers), /Vous avez arrêté/);
        assert.match(textOf(hers), /a renoncé/);
        assert.match(textOf(hers), /l’a su : /);
        assert.match(textOf(hers), /\d+ h \d\d min \d\d s/u);
        const theirs = await karim.open(path('aidant'));
        assert.equal(theirs.status, 200);
        assert.deepEqual(receiptsIn(theirs.html), receiptsIn(hers.html));
        assert.match(textOf(theirs), /Qui l’a arrêté La personne/);
        assert.match((await karim.open(`${it.places.relais}/aidant/mandats/${mandate.id}`)).html, /id="receipt"/);
      } finally {
        await channel.close();
      }
    },
  );

  test(
    'M21 what somebody else ended is told to the other party: the person on her independent number, the référents by mail, and never what it was for',
    on,
    async () => {
      const it = world();
      const phone = '+33639980121';
      const weak = '+33639980122';
      const mandate = await agreed(it, 'jean', ['social']);
      const number = (address: string, by: string, organisation: string | null, verified: string | null) =>
        it.sql(
          `insert into channel (id, usager_id, kind, address, added_by, organisation_id, added_at, verified_at)
          values ('chn_' || substr(md5($2), 1, 26), $1, 'phone', $2, $3, $4, now() - interval '9 days', $5)`,
          [mandate.usagerId, address, by, organisation, verified],
        );
      const told = (to: string) => it.demonstration.sms.messages().filter((one) => one.phone === to && /un de vos mandats est arrêté/.test(one.text));
      await number(weak, mandate.acceptedBy, mandate.organisationId, null);
      const renounce = async (id: typeof mandate.id, theme?: 'social') =>
        it.app.site.mandates.renounce({ aidantId: mandate.acceptedBy, organisationId: mandate.organisationId }, id, theme);
      const deliveries = async () => Number((await it.sql('select count(*)::int n from delivery'))[0]?.['n']);
      const before = await deliveries();
      await renounce(mandate.id);
      assert.equal(await deliveries(), before, 'a number that an aidant entered counts for nothing');
      await number(phone, 'usager', null, new Date(Date.now() - 9 * 86_400_000).toISOString());
      const second = await agreed(it, 'jean', ['social']);
      await renounce(second.id);
      it.app.site.nudgeDeliveries();
      assert.ok(await until(() => told(phone).length === 1), 'she is told');
      assert.doesNotMatch(told(phone)[0]?.text ?? '', /social|santé|mairie|Thénac|démarche/i, 'V10');
      assert.equal(told(weak).length, 0);
      const third = await agreed(it, 'jean', ['social']);
      const referents = await it.sql(
        "select s.email from membership b join staff s on s.id = b.aidant_id where b.organisation_id = $1 and b.referent and b.status = 'active'",
        [third.organisationId],
      );
      const kinds = async () =>
        (await it.sql('select kind, count(*)::int n from delivery where session_id is null group by kind order by kind')).map(
          (one) => `${one['kind']} ${one['n']}`,
        );
      const mails = async () => Number((await kinds()).find((one) => one.startsWith('mail'))?.split(' ')[1] ?? 0);
      const mailed = await mails();
      const texted = told(phone).length;
      await it.app.site.mandates.revokeByUsager(third.usagerId, third.id);
      assert.equal((await mails()) - mailed, referents.length, 'the référents are told');
      assert.ok(referents.length > 0);
      assert.equal(told(phone).length, texted, 'she reads it at once where she did it');
      assert.deepEqual(await it.sql('select 1 from delivery where body_box is null and done_at is null and session_id is null'), []);
    },
  );
});
