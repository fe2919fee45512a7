import { after, before } from 'node:test';
import { passFranceConnect, signInUsager } from '../../src/practice/story.ts';
import { formOf, Walker } from '../../src/practice/walker.ts';
import { agreed, csrfOf, entriesSince, inesAt, inTheMorning, mark, personOf, post, securitySince, until, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { faults } from '../support/protocol.ts';
import { routesOf } from '../support/routes.ts';
import { stateOf, tablesOf } from '../support/state.ts';
import { openWorld, signedInAidant, type World } from '../support/world.ts';

type Fields = Readonly<Record<string, string | readonly string[]>>;

/** What moves by itself, or for having been asked: the journal and its tries are counted apart. */
const restless = async (world: World): Promise<string[]> => [
  ...(await tablesOf(world)).filter((table) => table.startsWith('journal.')),
  'public.web_session',
  'public.delivery',
  'public.stop_try',
];

const FLOW = /^\/(aidant\/(mandats|papiers|temoin|arret)|consentement|accord|usager\/mandats|arreter)/;
const HASH = 'Zm9yZ2VkLWZvcmdlZC1mb3JnZWQtZm9yZ2VkLWZvcmc';

// One database: what is asked here is what the pages and use cases make of a form; their constraints are tried on both elsewhere.
const [kind] = databases();
let it: World;
before(async () => {
  if (!kind) throw new Error('no database');
  it = await openWorld(kind);
});
after(() => it?.close());

test('M8 at every form of a mandate, ids, dates, days, themes, text, people and states that were changed are refused in plain words or count for nothing', {
  database: 'pglite',
  atLeast: 150,
}, async () => {
  inTheMorning(it);
  const { relais } = it.places;
  const who = await whoIs(it);
  const there = await whoIs(it, 'ines', 'Saintes');
  const theirs = await agreed(it, 'colette', ['famille'], 31, there);
  const jean = await personOf(it, 'jean');
  const known = await agreed(it, 'jean', ['loisirs']);
  const karim = await signedInAidant(it);
  const colleague = await inesAt(it, 'Thénac');
  const csrf = await csrfOf(it, karim);

  const camille = await whoIs(it, 'courriel');
  /** What nobody of this structure may choose, under every name that a row or a form gives it. */
  const FORGED: Fields = {
    id: theirs.id,
    mandate: theirs.id,
    draft: theirs.id,
    renews: theirs.id,
    person: theirs.usagerId,
    usager: theirs.usagerId,
    usager_id: theirs.usagerId,
    organisation: there.organisationId,
    organisation_id: there.organisationId,
    aidant: camille.aidantId,
    aidant_id: camille.aidantId,
    accepted_by: camille.aidantId,
    witness_id: camille.aidantId,
    days: '365',
    themes: ['sante', 'argent'],
    theme: 'sante',
    demarches: ['forged'],
    from: '2031-01-02',
    starts_at: '2031-01-02',
    ends_at: '2031-01-02',
    consented_at: '2031-01-02',
    text_hash: HASH,
    consent_method: 'sms',
    method: 'sms',
    acr: 'eidas3',
    evidence: HASH,
    instead: '1',
    state: 'yes',
    status: 'active',
    reference: 'M-FORGED',
    link: HASH,
    phone: '0639980911',
  };
  const forged = (real: Fields): Fields => ({ ...FORGED, ...real, _csrf: csrf });
  const foreign = [theirs.id, theirs.usagerId, there.organisationId, camille.aidantId, '2031-01-02', 'M-FORGED', '0639980911', 'eidas3'].map(String);
  const everything = (await tablesOf(it)).filter((table) => !['journal.head', 'public.stop_try'].includes(table));
  /** How many rows of the whole database hold each of these values. */
  const mentions = () =>
    it.sql(
      `select v, count(*)::int n from unnest($1::text[]) v, (${everything.map((table) => `select t::text line from ${table} t`).join(' union all ')}) r
          where strpos(r.line, v) > 0 group by v order by v`,
      [foreign],
    );
  const covered = new Set<string>();

  /** The form as it stands, with everything else forged: it does what it says, and nothing of what was forged stands in any row. */
  const ignored = async (route: string, path: string, real: Fields, walker = karim): Promise<Response> => {
    covered.add(route);
    const before = await mentions();
    const token = walker === karim ? csrf : String(real['_csrf']);
    const answer = await post(it, walker, path, { ...forged(real), _csrf: token });
    assert.ok([200, 303].includes(answer.status), `${route}: ${answer.status} ${answer.ok ? '' : await answer.clone().text()}`);
    assert.deepEqual(await mentions(), before, `${route}: nothing forged is kept`);
    return answer;
  };
  /** A field of the form itself, changed: a plain page, no row, one line at most in the journal and in the security log. */
  const refused = async (route: string, path: string, fields: Fields, walker = karim): Promise<void> => {
    const except = await restless(it);
    const [state, entries, security] = [await stateOf(it, except), await mark(it), it.logged.length];
    const answer = await post(it, walker, path, { _csrf: csrf, ...fields });
    // A theme that the mandate does not have: nothing to stop, and the page that would say what was stopped is not there.
    const to = answer.headers.get('location');
    const status = to ? (await walker.open(new URL(to, relais))).status : answer.status;
    assert.ok(status >= 400 && status < 500, `${route} ${JSON.stringify(fields)}: ${answer.status} ${to}`);
    assert.match(to ? (walker.page?.html ?? '') : await answer.text(), /<h1/);
    assert.deepEqual(await stateOf(it, except), state, `${route} ${JSON.stringify(fields)}: no state`);
    const lines = (await entriesSince(it, entries)).filter(({ type }) => !['log.heartbeat', 'revocation.delivered'].includes(type)).length;
    assert.ok(lines <= 1 && securitySince(it, security).length <= 1, `${route} ${JSON.stringify(fields)}: one line`);
  };
  const locationOf = (answer: Response): string => new URL(answer.headers.get('location') ?? '', relais).pathname;

  // From the themes to the draft.
  const NEW = '/aidant/mandats/nouveau';
  await refused(`POST ${NEW}`, NEW, { themes: ['everything', "'; drop table mandate"] });
  await refused(`POST ${NEW}`, NEW, { demarches: ['forged'] });
  assert.match((await ignored(`POST ${NEW}`, NEW, { themes: ['logement'], demarches: [] })).headers.get('location') ?? '', /duree\?themes=logement$/);
  const days = `${NEW}/duree`;
  for (const wrong of ['30', '366', '-1', '1e3', '31.5', '', 'NaN']) await refused(`POST ${days}`, days, { themes: ['logement'], days: wrong });
  await refused(`POST ${days}`, days, { themes: ['everything'], days: '31' });
  const make = async (themes: readonly string[]): Promise<string> =>
    locationOf(await ignored(`POST ${days}`, days, { themes, demarches: [], days: '31' }));
  const at = await make(['logement']);
  const draftOf = async (path: string) =>
    (
      await it.sql('select organisation_id, aidant_id, usager_id, days, themes::text themes, renews from mandate_draft where id = $1', [
        path.split('/').at(-1),
      ])
    )[0] ?? {};
  const expected = { organisation_id: who.organisationId, aidant_id: who.aidantId, usager_id: null, days: 31, themes: '{logement}', renews: null };
  assert.deepEqual(await draftOf(at), expected);
  const DRAFT = '/aidant/mandats/brouillon/:id';

  // Consent on this screen: what she is asked about her other mandates is asked for one draft, and only of her own mandates.
  await it.app.site.mandates.renounce({ aidantId: there.aidantId, organisationId: there.organisationId }, theirs.id);
  const elsewhere = await agreed(it, 'jean', ['logement'], 31, there);
  const consent = await ignored(`POST ${DRAFT}/consentement`, `${at}/consentement`, {});
  const here = await passFranceConnect(karim, await karim.open(consent.headers.get('location') ?? ''), 'jean');
  assert.equal(here.url.pathname, '/consentement/autres-mandats');
  const others = formOf(here, 'other-mandates').fields;
  await refused('POST /consentement/autres-mandats', here.url.pathname, { draft: theirs.id, [elsewhere.id]: 'keep' });
  await refused('POST /consentement/autres-mandats', here.url.pathname, { ...others, [elsewhere.id]: 'forget', [known.id]: 'stop' });
  await ignored('POST /consentement/autres-mandats', here.url.pathname, { ...others, [elsewhere.id]: 'keep', [known.id]: 'stop' });
  const live = async (id: string) => (await it.sql('select ended_at from mandate where id = $1', [id]))[0]?.['ended_at'] === null;
  assert.deepEqual([await live(known.id), await live(elsewhere.id)], [true, true], 'a mandate that nobody asked about goes on');
  assert.deepEqual(await draftOf(at), { ...expected, usager_id: jean });

  // The aidant's own will.
  const sign = formOf(await karim.open(`${relais}${at}/signer`), 'mandate-sign').fields;
  await refused(`POST ${DRAFT}/signer`, `${at}/signer`, { ...sign, said_aloud: 'yes', code: '000000', text_hash: HASH });
  await refused(`POST ${DRAFT}/signer`, `${at}/signer`, { ...sign, said_aloud: 'no', code: '000000' });
  const code = await it.code(it.places, 'Karim Benali');
  await refused(`POST ${DRAFT}/signer`, `${at}/signer`, { ...sign, said_aloud: 'yes', code, text_hash: HASH });
  const created = await ignored(`POST ${DRAFT}/signer`, `${at}/signer`, { text_hash: sign['text_hash'] ?? '', said_aloud: 'yes', code });
  const id = /(man_[a-z0-9]+)\/cree$/.exec(locationOf(created))?.[1] ?? '';
  const [mandate] = await it.sql(
    `select m.organisation_id, m.usager_id, m.days, m.accepted_by, m.consent_method, m.consent_acr, array(select theme from mandate_grant g where g.mandate_id = m.id) themes,
          m.starts_at <= now() + interval '2 days' soon, m.ends_at < m.starts_at + interval '33 days' short from mandate m where m.id = $1`,
    [id],
  );
  const made = { organisation_id: who.organisationId, usager_id: jean, days: 31, accepted_by: who.aidantId, consent_method: 'franceconnect' };
  assert.deepEqual(mandate, { ...made, consent_acr: 'eidas1', themes: ['logement'], soon: true, short: true });

  // Lists, renewal, giving up.
  const list = await post(it, karim, '/aidant/mandats', forged({}));
  covered.add('POST /aidant/mandats');
  assert.doesNotMatch(await list.text(), /Colette/, 'a list shows the structure’s own, whatever is asked');
  const renewed = locationOf(await ignored('POST /aidant/mandats/:id/renouveler', `/aidant/mandats/${id}/renouveler`, {}));
  assert.deepEqual(await draftOf(renewed), { ...expected, renews: id });
  await refused('POST /aidant/mandats/:id/renoncer', `/aidant/mandats/${id}/renoncer`, { theme: 'everything' });
  await refused('POST /aidant/mandats/:id/renoncer', `/aidant/mandats/${id}/renoncer`, { theme: 'argent' });
  await ignored('POST /aidant/mandats/:id/renoncer', `/aidant/mandats/${id}/renoncer`, { theme: '' });
  assert.equal(await live(id), false);
  await ignored(`POST ${DRAFT}/abandon`, `${renewed}/abandon`, {});

  // Her own telephone: neither the person nor the draft is in the form.
  const byPhone = await make(['transports']);
  await ignored(`POST ${DRAFT}/telephone`, `${byPhone}/telephone`, {});
  const shown = await it.app.site.phoneLinks.find(who, byPhone.split('/').at(-1) as never);
  const phone = new Walker();
  const page = await phone.open(`${relais}/accord/${shown?.secret}`);
  const ask = { _csrf: formOf(page, 'give-consent').fields['_csrf'] ?? '' };
  await ignored('POST /accord/:token', page.url.pathname, ask, phone);
  await ignored('POST /accord/:token/refus', `${page.url.pathname}/refus`, ask, phone);
  assert.deepEqual(await draftOf(byPhone), { ...expected, themes: '{transports}' }, 'a state that says yes is no consent');

  // By SMS: people of the structure's own mandates, and the number that is noted.
  const bySms = await make(['travail']);
  for (const person of [theirs.usagerId, 'usg_00000000000000000000000000', 'x'])
    await refused(`POST ${DRAFT}/sms`, `${bySms}/sms`, { person, recap_asked: 'yes', phone: '0639980001' });
  await refused(`POST ${DRAFT}/sms`, `${bySms}/sms`, { person: jean, recap_asked: 'no' });
  await refused(`POST ${DRAFT}/sms/numero`, `${bySms}/sms/numero`, { person: theirs.usagerId, phone: '0639980001' });
  await refused(`POST ${DRAFT}/sms/numero`, `${bySms}/sms/numero`, { person: jean, phone: '0899000000' });
  await it.sql(
    `insert into channel (id, usager_id, kind, address, added_by, added_at, verified_at)
          values ('chn_' || substr(md5($1), 1, 26), $1, 'phone', '+33639980001', 'usager', now() - interval '9 days', now() - interval '9 days')`,
    [jean],
  );
  await ignored(`POST ${DRAFT}/sms`, `${bySms}/sms`, { person: jean, recap_asked: 'yes' });
  covered.add(`POST ${DRAFT}/sms/numero`);
  const [asked] = await it.sql('select state, phone from remote_consent where usager_id = $1', [jean]);
  assert.deepEqual(asked, { state: 'asked', phone: '+33639980001' });

  assert.ok(await until(async () => (await it.sql('select 1 from sms_callback')).length === 2), 'the gateway has said that both messages arrived');

  // On paper: who is typed, then what a second aidant saw.
  const byHand = await make(['papiers']);
  await refused(`POST ${DRAFT}/papier`, `${byHand}/papier`, { person: theirs.usagerId });
  const typed = { gender: 'female', 'given-name': 'Odette Lucie', 'family-name': 'Bernard', birthdate: '11/02/1939', 'birth-code': '17415' };
  await refused(`POST ${DRAFT}/papier/identite`, `${byHand}/papier/identite`, { ...typed, birthdate: '11/02/2039' });
  await refused(`POST ${DRAFT}/papier/identite`, `${byHand}/papier/identite`, { ...typed, gender: 'forged' });
  await ignored(`POST ${DRAFT}/papier/identite`, `${byHand}/papier/identite`, typed);
  await ignored(`POST ${DRAFT}/papier`, `${byHand}/papier`, { person: jean });
  const [paper] = await it.sql('select id from paper_consent where draft_id = $1 and ended_at is null', [byHand.split('/').at(-1)]);
  const witness = `/aidant/temoin/${String(paper?.['id'])}`;
  const seen = formOf(await colleague.open(`${relais}${witness}`), 'witness').fields;
  const ines = await it.code(it.places, 'Inès Moreau');
  await refused('POST /aidant/temoin/:id', witness, { ...seen, seen: 'no', code: ines }, colleague);
  await refused('POST /aidant/temoin/:id', witness, { ...seen, seen: 'yes', code: ines, text_hash: HASH }, colleague);
  await refused('POST /aidant/papiers/:id/copie', `/aidant/papiers/${String(paper?.['id'])}/copie`, { scan: 'forged' });
  covered.add('POST /aidant/papiers/:id/copie');
  await ignored('POST /aidant/temoin/:id', witness, { ...seen, seen: 'yes', code: ines }, colleague);
  assert.deepEqual(await draftOf(byHand), { ...expected, themes: '{papiers}', usager_id: jean });

  // The ends.
  const proof = { code: '2'.repeat(24), birthdate: '01/02/1950', signed: 'yes' };
  await refused('POST /aidant/arret', '/aidant/arret', { ...FORGED, ...proof });
  const anybody = new Walker();
  const stop = formOf(await anybody.open(`${relais}/arreter`), 'stop-by-paper').fields;
  await refused('POST /arreter', '/arreter', { ...FORGED, ...proof, ...stop, code: proof.code, birthdate: proof.birthdate }, anybody);
  const person = new Walker();
  await signInUsager(person, it.places, 'jean');
  const mine = formOf(await person.open(`${relais}/usager/mandats/${elsewhere.id}/arreter`), 'stop-mandate').fields;
  await refused('POST /usager/mandats/:id/arreter', `/usager/mandats/${theirs.id}/arreter`, mine, person);
  await refused('POST /usager/mandats/:id/arreter', `/usager/mandats/${known.id}/arreter`, { ...mine, theme: 'argent' }, person);
  await ignored('POST /usager/mandats/:id/arreter', `/usager/mandats/${known.id}/arreter`, { ...mine, theme: '' }, person);
  assert.deepEqual([await live(known.id), await live(elsewhere.id)], [false, true]);
  for (const route of ['POST /aidant/arret', 'POST /arreter']) covered.add(route);

  for (const { method, path } of routesOf(it).filter((each) => each.method === 'POST' && FLOW.test(each.path)))
    assert.ok(covered.has(`${method} ${path}`), `${method} ${path} has no case of M8`);
  assert.deepEqual(faults(it), []);
});
