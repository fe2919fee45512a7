import { base32 } from '../../src/aidants/code.ts';
import { randomBelow, randomBytes, randomToken } from '../../src/kernel/crypto.ts';
import type { UsagerId } from '../../src/kernel/ids.ts';
import { signSms } from '../../src/notices/sms.ts';
import { signInUsager } from '../../src/practice/story.ts';
import { formOf, Walker } from '../../src/practice/walker.ts';
import { agreed, inTheMorning, mandatesOf, personOf, whoIs } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { faults, inEachWorld } from '../support/protocol.ts';
import { routesOf } from '../support/routes.ts';
import { countStatements } from '../support/statements.ts';
import type { World } from '../support/world.ts';

/** Tries in all, half of them about what Relais knows. */
const nightly = process.env['RELAIS_TEST_NIGHTLY'] !== undefined;
const TRIES = nightly ? 10_000 : 200;

/** A door where somebody may type a secret, a code, an address or a number. */
interface Door {
  readonly route: string;
  /** What Relais knows, and must not say that it knows. */
  readonly known: readonly string[];
  /** Something of the same form that it never heard of. */
  readonly unknown: () => string;
  /** Takes what a try needs, uncounted: a page, or counters put back as another day would. */
  readonly before?: (walker: Walker) => Promise<unknown>;
  readonly ask: (walker: Walker, typed: string) => Promise<Response>;
}

const letters = (length: number, alphabet = 'ABCDEFGHJKMNPQRSTVWXYZ23456789'): string =>
  Array.from({ length }, () => alphabet[randomBelow(alphabet.length)]).join('');
const median = (of: readonly number[]): number => of.toSorted((a, b) => a - b)[Math.floor(of.length / 2)] ?? 0;

/** What tells one answer from another, but for the words that were typed and the form's own token. */
const told = async (answer: Response, typed: string): Promise<string> => {
  const without = (text: string) =>
    text
      .replaceAll(typed, '«typed»')
      .replaceAll(/name="_csrf" value="[^"]*"/g, '')
      .replace(/ data-session="\d+".*?<\/p>/, '');
  const names = [...answer.headers.keys()].filter((name) => !['date', 'content-length', 'set-cookie'].includes(name)).sort();
  return JSON.stringify([answer.status, without(answer.headers.get('location') ?? ''), names, without(await answer.text())]);
};

const enrolmentLinks = async (world: World): Promise<string[]> => {
  const [lea] = await world.app.aidants.findByEmail('aidant', 'lea@demonstration.example');
  const links: string[] = [];
  for (let i = 0; lea && i < 2; i++) {
    const made = await world.app.aidants.reinvite(lea.id);
    if ('refused' in made) throw new Error(made.refused);
    links.push(made.token);
  }
  const used = links.at(-1) ?? '';
  const begun = await world.app.aidants.beginEnrolment(used, { iss: 'https://proconnect.example', sub: 'lea-begins' });
  assert.ok('seed' in begun);
  return links;
};

const lossLinks = async (world: World): Promise<string[]> => {
  const { site } = world.app;
  const [nora] = await world.app.aidants.findByEmail('aidant', 'courriel@demonstration.example');
  if (!nora) throw new Error('nobody there');
  const token = () => site.transactions.run((tx) => site.losses.linkFor(tx, nora.id));
  const [used, later] = [await token(), await token()];
  assert.ok(!('refused' in (await site.losses.confirm(used))));
  await world.sql("update loss_link set expires_at = created_at + interval '1 second' where used_at is null");
  world.advance(2_000);
  return [used, later];
};

const phoneLinks = async (world: World): Promise<string[]> => {
  const { site } = world.app;
  const who = await whoIs(world);
  const drafted = await mandatesOf(world.app, world).draft(who, ['loisirs'], 31);
  if ('refused' in drafted) throw new Error(drafted.refused);
  const secrets: string[] = [];
  for (let i = 0; i < 2; i++) {
    const made = await site.phoneLinks.make(who, drafted.draft.id);
    if ('refused' in made) throw new Error(made.refused);
    secrets.push(made.secret);
  }
  assert.ok('declined' in (await site.phoneLinks.decline(secrets[1] ?? '')), 'the first was replaced, the second answered');
  return secrets;
};

/** A question by SMS that waits for its answer; gives its reference. */
const question = async (world: World, usager: UsagerId): Promise<string> => {
  const { sms } = world.app.site;
  const who = await whoIs(world);
  const drafted = await mandatesOf(world.app, world).draft(who, ['loisirs'], 31);
  if ('refused' in drafted || !sms) throw new Error('no draft');
  const asked = await sms.consents.ask(who, drafted.draft.id, usager);
  if ('refused' in asked) throw new Error(asked.refused);
  return asked.asked.reference;
};

inEachWorld(({ world, kind }) => {
  test(`S11 every door where a secret, a code or a number is typed answers alike for what is known and what is not: status, headers, body, statements (${TRIES} tries)`, {
    database: kind,
    atLeast: 30,
  }, async () => {
    const it = world();
    inTheMorning(it);
    const { relais } = it.places;
    const mandate = await agreed(it, 'jean', ['logement']);
    const others = await personOf(it, 'colette');
    for (const [usager, phone] of [
      [mandate.usagerId, '+33639980242'],
      [others, '+33639980142'],
    ] as const)
      await it.sql(
        `insert into channel (id, usager_id, kind, address, added_by, added_at, verified_at)
            values ('chn_' || substr(md5($1 || $2), 1, 26), $1, 'phone', $2, 'usager', now() - interval '9 days', now() - interval '9 days')`,
        [usager, phone],
      );
    const code = String((await it.sql('select code from attestation where mandate_id = $1', [mandate.id]))[0]?.['code']);
    const [enrolment, phones] = [await enrolmentLinks(it), await phoneLinks(it)];
    const reference = await question(it, mandate.usagerId);
    const losses = await lossLinks(it);
    const jean = new Walker();
    await signInUsager(jean, it.places, 'jean');

    const get = (path: string) => (walker: Walker, typed: string) => walker.ask(`${relais}${path}${typed}`);
    /** A form of ours, of the page named, sent to an address that holds what is typed. */
    const form = (page: string, path: string, more = ''): Pick<Door, 'before' | 'ask'> => ({
      before: (walker) => walker.open(`${relais}${page}`),
      ask: (walker, typed) => {
        const csrf = /name="_csrf" value="([^"]+)"/.exec(walker.page?.html ?? '')?.[1] ?? '';
        return walker.ask(`${relais}${path}${typed}${more}`, { _csrf: csrf, code: '000000' });
      },
    });
    const key = it.demonstration.config.keys.raw('sms-gateway').reveal();
    let calls = 0;
    const sms = (said: string) => async (_walker: Walker, typed: string) => {
      const body = JSON.stringify({ id: `s11-${++calls}`, reference: typed, from: '+33639980999', text: said });
      const headers = { 'content-type': 'application/json', 'relais-signature': signSms(key, 'replies', new Date(), body) };
      return fetch(`${relais}/api/v1/sms/replies`, { method: 'POST', headers, body });
    };
    const secret = () => base32(randomBytes(33)).toLowerCase().slice(0, 52);
    const token = () => randomToken(32);
    const doors: Door[] = [
      { route: 'GET /inscription/:token', known: enrolment, unknown: token, ask: get('/inscription/') },
      { route: 'POST /inscription/:token', known: enrolment, unknown: token, ...form('/arreter', '/inscription/') },
      { route: 'POST /inscription/:token/code', known: enrolment, unknown: token, ...form('/arreter', '/inscription/', '/code') },
      { route: 'GET /connexion/perdu/:token', known: losses, unknown: token, ask: get('/connexion/perdu/') },
      { route: 'POST /connexion/perdu/:token', known: losses, unknown: token, ...form('/arreter', '/connexion/perdu/') },
      { route: 'GET /accord/:token', known: phones, unknown: secret, ask: get('/accord/') },
      { route: 'POST /accord/:token', known: phones, unknown: secret, ...form('/arreter', '/accord/') },
      { route: 'POST /accord/:token/refus', known: phones, unknown: secret, ...form('/arreter', '/accord/', '/refus') },
      {
        // A code that exists is answered: that is what the page is for. One letter away from it is as far as anything else.
        route: 'GET /verifier/:code',
        known: [...code].slice(0, 4).map((letter, i) => `${code.slice(0, i)}${letter === 'A' ? 'B' : 'A'}${code.slice(i + 1)}`),
        unknown: () => letters(24),
        ask: get('/verifier/'),
      },
      {
        route: 'POST /arreter',
        known: [code],
        unknown: () => letters(24),
        before: async (walker) => {
          await it.sql('delete from stop_try');
          await walker.open(`${relais}/arreter`);
        },
        ask: (walker, typed) => {
          const { action, fields } = formOf(walker.page as NonNullable<Walker['page']>, 'stop-by-paper');
          return walker.ask(action, { ...fields, code: typed, birthdate: '01/02/1903' });
        },
      },
      { route: 'POST /api/v1/sms/replies', known: [reference], unknown: () => letters(reference.length), ask: sms('oui') },
      {
        route: 'POST /usager/telephone',
        known: ['0639980142', '+33 6 39 98 02 42'],
        unknown: () => `06399${80_000 + randomBelow(10) * 1000 + randomBelow(10) * 100 + 42}`.slice(0, 10),
        before: async () => {
          await it.sql('delete from sms_quota');
          await jean.open(`${relais}/usager/telephone`);
        },
        ask: (_walker, typed) => {
          const { action, fields } = formOf(jean.page as NonNullable<Walker['page']>, 'add-phone');
          return jean.ask(action, { ...fields, phone: typed });
        },
      },
    ];
    const covered = new Set(doors.map(({ route }) => route));
    // The code of a démarche is a name of one's own catalogue; whose service it is of is asked by M1 (mandates-foreign).
    const isTyped = (path: string): boolean => /:token|:code/.test(path) && !path.startsWith('/administration/sites/:id/demarches/');
    for (const { method, path } of routesOf(it).filter((each) => ['GET', 'POST'].includes(each.method) && isTyped(each.path)))
      assert.ok(covered.has(`${method} ${path}`), `${method} ${path} has no case of S11`);

    const statements = countStatements();
    const each = Math.ceil(TRIES / doors.length / 2) * 2;
    for (const door of doors) {
      const walker = new Walker();
      const answers = new Set<string>();
      const costs = new Map<string, number>(); // of each thing that is known, and of all that is not: the least
      const times = { known: [] as number[], unknown: [] as number[] };
      const differ = (): boolean => new Set(costs.values()).size > 1;
      // When the costs still differ, more tries: a request that met something else of the house each time is not dearer for that.
      for (let i = -2; i < each || (i < each + 40 && differ()); i++) {
        if (i % 16 === 0) {
          it.advance(61_000); // the verifier's minute
          await walker.open(`${relais}/arreter`); // and the session is seen again
          await jean.open(`${relais}/usager`);
        }
        await door.before?.(walker);
        const kind = i % 2 ? 'known' : 'unknown';
        const typed = kind === 'known' ? (door.known[Math.abs(i >> 1) % door.known.length] ?? '') : door.unknown();
        const [count, start] = [statements.total(), performance.now()];
        const answer = await door.ask(walker, typed);
        if (i < 0) {
          await answer.body?.cancel(); // the first makes a session, or a first pending number
          continue;
        }
        const said = await told(answer, typed);
        const cost = statements.total() - count;
        times[kind].push(performance.now() - start);
        const of = kind === 'known' ? typed : kind;
        costs.set(of, Math.min(cost, costs.get(of) ?? cost));
        answers.add(said);
      }
      assert.deepEqual([...answers].slice(1), [], `${door.route}: one answer; the first is ${[...answers][0]}`);
      // The least: a connection that the pool opens just then, or a delivery that begins, says its own statements.
      assert.ok(!differ(), `${door.route}: one number of statements: ${[...costs.values()]}`);
      const [known, unknown] = [median(times.known), median(times.unknown)];
      if (nightly) assert.ok(Math.abs(known - unknown) <= 0.1 * Math.max(known, unknown), `${door.route}: ${known} ms and ${unknown} ms`);
    }
    statements.stop();
    const [waits] = await it.sql('select state from remote_consent where reference = $1', [reference]);
    assert.equal(waits?.['state'], 'asked', 'nobody else’s telephone answered');
    assert.deepEqual(faults(it), []);
  });
});
