import { after, before, describe } from 'node:test';
import { newId } from '../../src/kernel/ids.ts';
import type { Mandate } from '../../src/mandates/mandate.ts';
import type { Walker } from '../../src/practice/walker.ts';
import {
  agreed,
  begin,
  consented,
  csrfOf,
  entriesSince,
  inesAt,
  mandatesOf,
  mark,
  personOf,
  post,
  securitySince,
  sessionOf,
  whoIs,
} from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { sheetFor, typedPerson } from '../support/paper.ts';
import { countStatements } from '../support/statements.ts';
import { delegatedTokens, entriesOf, openWorld, signedInAidant, type TestService, type World } from '../support/world.ts';

/** Everything of another structure, or of another aidant, that Karim of Thénac may try by its id. */
interface Foreign {
  readonly mandate: Mandate;
  readonly draft: string;
  readonly colleaguesDraft: string;
  readonly session: string;
  readonly organisation: string;
  readonly interaction: string;
  readonly sheet: string;
  /** Index of an entry of that session. */
  readonly entry: string;
}

interface Try {
  readonly route: string;
  readonly foreign: string;
  readonly unknown: string;
  /** Where the id stands: the path and, for a form, its fields. */
  readonly ask: (id: string, csrf: string) => readonly [path: string, fields?: Readonly<Record<string, string>>];
  /** What is refused must leave one line; a redirect that does nothing leaves none. */
  readonly lines: 0 | 1 | 2;
}

const tries = (foreign: Foreign, own: { uid: string; organisation: string; service: string }): Try[] => {
  const man = newId('man');
  const dra = newId('dra');
  const interaction = `/interaction/${own.uid}`;
  const get =
    (path: (id: string) => string): Try['ask'] =>
    (id) => [path(id)];
  const form =
    (path: (id: string) => string, fields: (id: string) => Readonly<Record<string, string>> = () => ({})): Try['ask'] =>
    (id, csrf) => [path(id), { _csrf: csrf, ...fields(id) }];
  const draft = (id: string): string => `/aidant/mandats/brouillon/${id}`;
  const mandateTry = (route: string, lines: 0 | 1 | 2, ask: Try['ask']): Try => ({ route, foreign: foreign.mandate.id, unknown: man, ask, lines });
  const draftTries = (route: string, lines: 0 | 1 | 2, ask: Try['ask']): Try[] =>
    [foreign.draft, foreign.colleaguesDraft].map((id) => ({ route, foreign: id, unknown: dra, ask, lines }));
  const hash = 'A'.repeat(43);
  return [
    mandateTry(
      'GET /aidant/mandats/:id',
      1,
      get((id) => `/aidant/mandats/${id}`),
    ),
    mandateTry(
      'GET /aidant/mandats/:id/cree',
      1,
      get((id) => `/aidant/mandats/${id}/cree`),
    ),
    mandateTry(
      'GET /aidant/mandats/:id/attestation.pdf',
      1,
      get((id) => `/aidant/mandats/${id}/attestation.pdf`),
    ),
    mandateTry(
      'GET /aidant/mandats/:id/renoncer',
      1,
      get((id) => `/aidant/mandats/${id}/renoncer`),
    ),
    mandateTry(
      'POST /aidant/mandats/:id/renoncer',
      1,
      form(
        (id) => `/aidant/mandats/${id}/renoncer`,
        () => ({ theme: '' }),
      ),
    ),
    mandateTry(
      'GET /administration/mandats/:id',
      0,
      get((id) => `/administration/mandats/${id}`),
    ),
    ...['GET', 'POST cles', 'POST adresses', 'POST retirer', 'GET demarches/:code', 'POST demarches/:code', 'POST demarches/:code/retrait'].map(
      (step): Try => {
        const [method = '', part] = step.split(' ');
        const path = (id: string): string => `/administration/sites/${id}${part ? `/${part.replace(':code', 'nouvelle')}` : ''}`;
        return {
          route: `${method} /administration/sites/:id${part ? `/${part}` : ''}`,
          foreign: own.service,
          unknown: 'nulle-part',
          lines: 0,
          ask: method === 'POST' ? form(path) : get(path),
        };
      },
    ),
    {
      route: 'GET /administration/entrees/:id/preuve',
      foreign: foreign.entry,
      unknown: '123456789',
      lines: 0,
      ask: get((id) => `/administration/entrees/${id}/preuve`),
    },
    mandateTry(
      'POST /administration/mandats/:id',
      0,
      form(
        (id) => `/administration/mandats/${id}`,
        () => ({ reason: 'un motif' }),
      ),
    ),
    mandateTry(
      'GET /aidant/mandats/:id/recu',
      1,
      get((id) => `/aidant/mandats/${id}/recu`),
    ),
    mandateTry(
      'GET /aidant/mandats/:id/renonce',
      1,
      get((id) => `/aidant/mandats/${id}/renonce`),
    ),
    mandateTry(
      'POST /aidant/mandats/:id/renouveler',
      2,
      form((id) => `/aidant/mandats/${id}/renouveler`),
    ),
    mandateTry(
      'GET /aidant/agir/:mandate/:service',
      1,
      get((id) => `/aidant/agir/${id}/${own.service}`),
    ),
    mandateTry(
      'GET /aidant ?apres',
      0,
      get((id) => `/aidant?apres=${id}`),
    ),
    mandateTry(
      'GET /interaction/:uid ?personne',
      1,
      get((id) => `${interaction}?personne=${id}`),
    ),
    mandateTry(
      'GET /interaction/:uid ?personne&thematique',
      1,
      get((id) => `${interaction}?personne=${id}&thematique=logement`),
    ),
    mandateTry(
      'GET /interaction/:uid ?apres',
      0,
      get((id) => `${interaction}?apres=${id}`),
    ),
    mandateTry(
      'POST /interaction/:uid/personne',
      0,
      form(
        () => `${interaction}/personne`,
        (id) => ({ person: id }),
      ),
    ),
    mandateTry(
      'POST /interaction/:uid/thematique',
      1,
      form(
        () => `${interaction}/thematique`,
        (id) => ({ person: id, theme: 'logement' }),
      ),
    ),
    mandateTry(
      'POST /interaction/:uid/confirmer',
      1,
      form(
        () => `${interaction}/confirmer`,
        (id) => ({ person: id, theme: 'logement', organisation: own.organisation }),
      ),
    ),
    {
      route: 'POST /ssf/poll/:stream',
      foreign: newId('str'),
      unknown: newId('str'),
      ask: form((id) => `/ssf/poll/${id}`),
      lines: 1,
    },
    ...draftTries('GET /aidant/mandats/brouillon/:id', 1, get(draft)),
    ...draftTries(
      'GET /aidant/mandats/brouillon/:id/refus',
      0,
      get((id) => `${draft(id)}/refus?motif=minor`),
    ),
    ...draftTries(
      'GET /aidant/mandats/brouillon/:id/texte',
      1,
      get((id) => `${draft(id)}/texte`),
    ),
    ...draftTries(
      'GET /aidant/mandats/brouillon/:id/signer',
      1,
      get((id) => `${draft(id)}/signer`),
    ),
    ...draftTries(
      'GET /aidant/mandats/brouillon/:id/attente',
      1,
      get((id) => `${draft(id)}/attente`),
    ),
    mandateTry(
      'GET /aidant/mandats/:id/lecture',
      1,
      get((id) => `/aidant/mandats/${id}/lecture?langue=ar`),
    ),
    ...draftTries(
      'GET /aidant/mandats/brouillon/:id/lecture',
      1,
      get((id) => `${draft(id)}/lecture`),
    ),
    ...draftTries(
      'GET /aidant/mandats/brouillon/:id/telephone',
      1,
      get((id) => `${draft(id)}/telephone`),
    ),
    ...draftTries(
      'POST /aidant/mandats/brouillon/:id/telephone',
      2,
      form((id) => `${draft(id)}/telephone`),
    ),
    ...draftTries(
      'GET /aidant/mandats/brouillon/:id/sms',
      1,
      get((id) => `${draft(id)}/sms`),
    ),
    ...draftTries(
      'POST /aidant/mandats/brouillon/:id/sms',
      1,
      form((id) => `${draft(id)}/sms`),
    ),
    ...draftTries(
      'POST /aidant/mandats/brouillon/:id/sms/numero',
      1,
      form((id) => `${draft(id)}/sms/numero`),
    ),
    ...['papier', 'papier/feuille', 'papier/imprimer', 'papier/feuille.pdf'].flatMap((step) =>
      draftTries(
        `GET /aidant/mandats/brouillon/:id/${step}`,
        1,
        get((id) => `${draft(id)}/${step}`),
      ),
    ),
    ...draftTries(
      'POST /aidant/mandats/brouillon/:id/papier',
      1,
      form((id) => `${draft(id)}/papier`),
    ),
    ...draftTries(
      'POST /aidant/mandats/brouillon/:id/papier/identite',
      1,
      form((id) => `${draft(id)}/papier/identite`),
    ),
    {
      route: 'GET /aidant/papiers/:id/copie',
      foreign: foreign.sheet,
      unknown: newId('pap'),
      lines: 1,
      ask: get((id) => `/aidant/papiers/${id}/copie`),
    },
    {
      route: 'POST /aidant/papiers/:id/copie',
      foreign: foreign.sheet,
      unknown: newId('pap'),
      lines: 1,
      ask: form((id) => `/aidant/papiers/${id}/copie`),
    },
    {
      route: 'GET /aidant/temoin/:id',
      foreign: foreign.sheet,
      unknown: newId('pap'),
      lines: 1,
      ask: get((id) => `/aidant/temoin/${id}`),
    },
    {
      route: 'POST /aidant/temoin/:id',
      foreign: foreign.sheet,
      unknown: newId('pap'),
      lines: 1,
      ask: form(
        (id) => `/aidant/temoin/${id}`,
        () => ({ seen: 'yes', code: '000000', text_hash: hash }),
      ),
    },
    ...draftTries(
      'POST /aidant/mandats/brouillon/:id/abandon',
      0,
      form((id) => `${draft(id)}/abandon`),
    ),
    ...draftTries(
      'POST /aidant/mandats/brouillon/:id/consentement',
      1,
      form((id) => `${draft(id)}/consentement`),
    ),
    ...draftTries(
      'POST /aidant/mandats/brouillon/:id/signer',
      1,
      form(
        (id) => `${draft(id)}/signer`,
        () => ({ said_aloud: 'yes', code: '000000', text_hash: hash }),
      ),
    ),
    {
      route: 'GET /aidant/actes/:id/erreur',
      foreign: foreign.entry,
      unknown: '123456789',
      lines: 1,
      ask: get((id) => `/aidant/actes/${id}/erreur`),
    },
    {
      route: 'POST /aidant/actes/:id/erreur',
      foreign: foreign.entry,
      unknown: '123456789',
      lines: 1,
      ask: form((id) => `/aidant/actes/${id}/erreur`),
    },
    {
      route: 'POST /aidant/sessions/:id/arreter',
      foreign: foreign.session,
      unknown: newId('dls'),
      lines: 0,
      ask: form((id) => `/aidant/sessions/${id}/arreter`),
    },
    {
      route: 'POST /aidant/structures',
      foreign: foreign.organisation,
      unknown: newId('org'),
      lines: 1,
      ask: form(
        () => '/aidant/structures',
        (id) => ({ organisation: id }),
      ),
    },
    { route: 'GET /interaction/:uid', foreign: foreign.interaction, unknown: 'b'.repeat(21), lines: 1, ask: get((id) => `/interaction/${id}`) },
    {
      route: 'GET /interaction/:uid/suite',
      foreign: foreign.interaction,
      unknown: 'b'.repeat(21),
      lines: 1,
      ask: get((id) => `/interaction/${id}/suite`),
    },
    ...['chercher', 'personne', 'thematique', 'confirmer', 'abandon'].map(
      (step): Try => ({
        route: `POST /interaction/:uid/${step}`,
        foreign: foreign.interaction,
        unknown: 'b'.repeat(21),
        lines: 1,
        ask: form(
          (id) => `/interaction/${id}/${step}`,
          () => ({ person: man, theme: 'logement', organisation: own.organisation }),
        ),
      }),
    ),
  ];
};

/** Routes with an id in their path, read from the server itself, so that a new one without a line above is seen. */
const routesWithIds = (world: World): string[] => {
  const stack: string[] = [];
  return (
    world.app.http
      .printRoutes({ commonPrefix: false })
      .split('\n')
      .flatMap((line) => {
        const [, before = '', path = '', methods = ''] = /^([│├└─\s]*)(\S+) \(([^)]*)\)/.exec(line) ?? [];
        stack.length = before.length / 4;
        stack.push(path === '/' ? '' : path);
        const whole = stack.join('');
        return methods
          .split(', ')
          .filter((method) => method === 'GET' || method === 'POST')
          .map((method) => `${method} ${whole.startsWith('/') ? whole : `/${whole}`}`);
      })
      // An index of the log is the same for everybody, and its proof is made of hashes.
      .filter((route) => /:/.test(route) && !/:token|:code|\/journal\/proof\//.test(route))
  );
};

interface Answer {
  readonly status: number;
  readonly body: string;
  readonly location: string | null;
  readonly statements: number;
  readonly lines: number;
}

/** What the jobs write, whoever asks for what. */
const BESIDE = ['log.heartbeat', 'revocation.delivered'];

const lined = async (world: World, from: { entries: number; security: number }): Promise<number> =>
  (await entriesSince(world, from.entries)).filter(({ type }) => !BESIDE.includes(type)).length + securitySince(world, from.security).length;

const statements = countStatements();
after(() => statements.stop());

/** Asks several times and keeps the smallest number of statements: a service is read again when its second in the cache is over. */
const answerTo = async (world: World, walker: Walker, one: Try, id: string, csrf: string, times: number): Promise<Answer> => {
  const [path, fields] = one.ask(id, csrf);
  const whole = new RegExp(`(?<![\\w-])${id}(?![\\w-])`, 'g'); // a short number also stands in the version of a style sheet, and in a form's token
  let best: Answer | undefined;
  for (let i = 0; i < times; i++) {
    const from = { entries: await mark(world), security: world.logged.length };
    const before = statements.total(); // read before the request, compared after its answer
    const response = fields ? await post(world, walker, path, fields) : await walker.ask(new URL(path, world.places.relais));
    const text = (await response.text()).replaceAll(whole, '«id»').replace(/ data-session="\d+".*?<\/p>/, ''); // the end of the session moves on
    const answer = {
      status: response.status,
      body: text,
      location: response.headers.get('location')?.replaceAll(whole, '«id»') ?? null,
      statements: Math.min(statements.total() - before, best?.statements ?? Number.POSITIVE_INFINITY),
      lines: i === 0 ? await lined(world, from) : (best?.lines ?? 0),
    };
    if (best)
      assert.deepEqual([answer.status, answer.location, answer.body], [best.status, best.location, best.body], `${one.route}: the same each time`);
    best = answer;
  }
  if (!best) throw new Error('never asked');
  return best;
};

for (const kind of databases())
  describe(`on ${kind.kind}`, () => {
    let world: World;
    let karim: Walker;
    let ines: Walker;
    let service: TestService;
    let foreign: Foreign;
    before(async () => {
      world = await openWorld(kind);
      service = await world.service('m1-service');
      karim = await signedInAidant(world);
      ines = await inesAt(world, 'Saintes');
      const there = await whoIs(world, 'ines', 'Saintes');
      const mandates = mandatesOf(world.app, world);
      const mandate = await agreed(world, 'colette', ['logement'], 31, there);
      const draft = await consented(world, mandates, there, await personOf(world, 'jean'), ['famille']);
      const colleague = await whoIs(world, 'ines', 'Thénac');
      const colleagues = await consented(world, mandates, colleague, await personOf(world, 'jean'), ['famille']);
      const { tokens } = await delegatedTokens(world, ines, service, 'Colette Martin');
      const session = sessionOf(tokens.claims());
      const { uid } = await begin(ines, service);
      const { id: sheet } = await sheetFor(world, there, typedPerson(), ['famille']);
      await world.app.flushJournal();
      const [opened] = await world.app.journal.read(world.database.auto, { session, types: ['session.opened'], limit: 1 });
      const entry = String(opened?.index);
      foreign = {
        entry,
        sheet,
        mandate,
        draft: draft.id,
        colleaguesDraft: colleagues.id,
        session,
        organisation: there.organisationId,
        interaction: uid,
      };
    });
    after(() => world.close());

    test(`M1 every route and parameter that takes an id answers for another structure's as for an unknown one (${kind.kind})`, {
      database: kind.kind,
      atLeast: 150,
    }, async () => {
      const mine = await begin(karim, service);
      const all = tries(foreign, { uid: mine.uid, organisation: (await whoIs(world)).organisationId, service: service.id });
      const covered = new Set(all.map(({ route }) => route.split(' ').slice(0, 2).join(' ')));
      // Services ask of a mandate with a token of their own: validity.test.ts.
      for (const route of routesWithIds(world).filter((each) => !each.includes('/usager/') && !each.endsWith('/validity')))
        assert.ok(covered.has(route), `${route} has no case of M1`);
      const csrf = await csrfOf(world, karim);
      await world.app.site.mandates.expireOverdue(); // or the job would, in the middle
      const before = await world.sql('select to_jsonb(m) row from mandate m union all select to_jsonb(d) from mandate_draft d');
      for (const one of all) {
        const theirs = await answerTo(world, karim, one, one.foreign, csrf, 3);
        const nobodys = await answerTo(world, karim, one, one.unknown, csrf, 3);
        assert.equal(theirs.status, nobodys.status, `${one.route}: status`);
        assert.equal(theirs.location, nobodys.location, `${one.route}: location`);
        assert.equal(theirs.body, nobodys.body, `${one.route}: body`);
        assert.equal(theirs.statements, nobodys.statements, `${one.route}: statements`);
        assert.deepEqual([theirs.lines, nobodys.lines], [one.lines, one.lines], `${one.route}: journal or security entries`);
        for (const secret of ['Colette', 'Saintes', foreign.mandate.reference]) assert.ok(!theirs.body.includes(secret), `${one.route}: ${secret}`);
      }
      assert.deepEqual(await world.sql('select to_jsonb(m) row from mandate m union all select to_jsonb(d) from mandate_draft d'), before);
      const [session] = await world.sql('select ended_at from delegated_session where id = $1', [foreign.session]);
      assert.equal(session?.['ended_at'], null, "the other aidant's session goes on");
      assert.equal(await entriesOf(world, 'mandate.created'), 8, 'seven of the demonstration, and one of this test');
    });

    test(`M1 a usager meets nothing of another usager (${kind.kind})`, { database: kind.kind, atLeast: 30 }, async () => {
      const { signInUsager } = await import('../../src/practice/story.ts');
      const { Walker: Browser } = await import('../../src/practice/walker.ts');
      const jean = new Browser();
      await signInUsager(jean, world.places, 'jean');
      const csrf = await csrfOf(world, jean, '/usager');
      const [entry] = await world.app.journal.read(world.database.auto, { usager: foreign.mandate.usagerId, types: ['mandate.created'], limit: 1 });
      assert.ok(entry);
      const path = (id: string): string => `/usager/mandats/${id}`;
      const man = newId('man');
      const cases: Try[] = [
        ['GET /usager/mandats/:id', (id: string) => [path(id)] as const],
        ['GET /usager/mandats/:id/attestation.pdf', (id: string) => [`${path(id)}/attestation.pdf`] as const],
        ['GET /usager/mandats/:id/arreter', (id: string) => [`${path(id)}/arreter`] as const],
        ['GET /usager/mandats/:id/lecture', (id: string) => [`${path(id)}/lecture`] as const],
        ['GET /usager/mandats/:id/recu', (id: string) => [`${path(id)}/recu`] as const],
        ['GET /usager/mandats/:id/arrete', (id: string) => [`${path(id)}/arrete`] as const],
        ['POST /usager/mandats/:id/arreter', (id: string, token: string) => [`${path(id)}/arreter`, { _csrf: token }] as const],
      ].map(([route, ask]) => ({ route: route as string, foreign: foreign.mandate.id, unknown: man, lines: 1, ask: ask as Try['ask'] }));
      cases.push({
        route: 'GET /usager/entrees/:id',
        foreign: String(entry.index),
        unknown: '123456789',
        lines: 1,
        ask: (id) => [`/usager/entrees/${id}`],
      });
      for (const [route, ask] of [
        ['GET /usager/entrees/:id/preuve', (id: string) => [`/usager/entrees/${id}/preuve`] as const],
        ['GET /usager/entrees/:id/desaccord', (id: string) => [`/usager/entrees/${id}/desaccord`] as const],
        ['POST /usager/entrees/:id/desaccord', (id: string, token: string) => [`/usager/entrees/${id}/desaccord`, { _csrf: token }] as const],
      ] as const)
        cases.push({ route, foreign: foreign.entry, unknown: '123456789', lines: 1, ask });
      for (const route of routesWithIds(world).filter((each) => each.includes('/usager/')))
        assert.ok(
          cases.some((one) => one.route === route),
          route,
        );
      for (const one of cases) {
        const theirs = await answerTo(world, jean, one, one.foreign, csrf, 3);
        const nobodys = await answerTo(world, jean, one, one.unknown, csrf, 3);
        assert.deepEqual(theirs, nobodys, one.route);
        assert.deepEqual([theirs.status, theirs.lines], [404, one.lines], one.route);
      }
      const [row] = await world.sql('select ended_at from mandate where id = $1', [foreign.mandate.id]);
      assert.equal(row?.['ended_at'], null);
    });
  });
