import { chmodSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { stepAt } from '../../src/aidants/code.ts';
import { EXIT_TABLE, helpOf, type Io } from '../../src/cli/command.ts';
import { type CommandContext, createDomain, type Domain } from '../../src/cli/context.ts';
import { exitOfFault } from '../../src/cli/journal.ts';
import { commands, findCommand, runHere } from '../../src/cli/run.ts';
import { makeMissingKeys, readKeys } from '../../src/config/keys.ts';
import { FAULTS } from '../../src/journal/verify-entry.ts';
import { totp } from '../../src/kernel/crypto.ts';
import { keepFingerprint } from '../../src/persistence/inspection.ts';
import { createJournal, readOrigin } from '../../src/persistence/journal.ts';
import { openKeyStore } from '../../src/persistence/journal-keys.ts';
import { assert, test } from '../support/check.ts';
import { type FrozenClock, frozenClock } from '../support/clock.ts';
import { type DatabaseKind, databases } from '../support/database.ts';
import { granted, queued } from '../support/staff.ts';

/** A terminal that remembers what was printed, and answers questions and reads files as the test says. */
const terminal = (answers: Record<string, string> = {}) => {
  const said: string[] = [];
  const wrong: string[] = [];
  const io: Io = {
    out: (line) => void said.push(line),
    err: (line) => void wrong.push(line),
    ask: async () => answers['ask'],
    read: async (path) => answers[path] ?? '',
  };
  return { io, said, wrong, text: () => [...said, ...wrong].join('\n') };
};

interface Desk {
  readonly context: CommandContext;
  readonly domain: Domain;
  readonly clock: FrozenClock;
  readonly keysFolder: string;
  run(args: string, answers?: Record<string, string>): Promise<{ code: number; text: string; json: () => Record<string, unknown> }>;
  /** Makes an opérateur who has enrolled, and gives what makes their next code. */
  operateur(name: string): Promise<{ id: string; code: () => string }>;
}

const words = (line: string): string[] => [...line.matchAll(/"([^"]*)"|(\S+)/g)].map((match) => match[1] ?? match[2] ?? '');

const desk = async (t: TestContext, kind: DatabaseKind): Promise<Desk> => {
  const { database, drop } = await kind.fresh();
  const folder = mkdtempSync(join(tmpdir(), 'relais-cli-'));
  t.after(async () => {
    await drop();
    rmSync(folder, { recursive: true });
  });
  const keysFolder = join(folder, 'keys');
  makeMissingKeys(keysFolder);
  const keys = readKeys(keysFolder);
  const clock = frozenClock(new Date());
  const keyStore = await openKeyStore({ database, kek: keys.raw('payload-kek').reveal(), clock });
  const journal = createJournal({
    transactions: database,
    clock,
    writer: 'cli',
    origin: await readOrigin(database, 'localhost'),
    keys: keyStore,
    macKey: keys.raw('journal-mac').reveal(),
  });
  const domain = createDomain({
    database,
    journal,
    clock,
    keys,
    endSessions: async () => 2,
    endMandateSessions: async () => ({ ended: 0 }),
    allowLoopback: true,
  });
  const context: CommandContext = {
    mode: 'demonstration',
    publicUrl: 'http://localhost:8400',
    varFolder: folder,
    journalHost: 'localhost',
    database,
    clock,
    keys: () => keys,
    keyStore: async () => keyStore,
    domain: async () => domain,
    enrolmentUrl: (token) => `http://localhost:8400/inscription/${token}`,
  };
  const run: Desk['run'] = async (args, answers) => {
    const it = terminal(answers);
    const code = await runHere(words(args), context, it.io);
    return { code, text: it.text(), json: () => JSON.parse(it.said.join('\n')) as Record<string, unknown> };
  };
  return {
    context,
    domain,
    clock,
    keysFolder,
    run,
    operateur: async (name) => {
      const made = await run(`operator add --given-name ${name} --family-name Test --email ${name}@x.example --json`);
      const { id, link } = made.json();
      const token = String(link).split('/').at(-1) ?? '';
      const identity = { iss: 'https://proconnect.test', sub: name };
      const begun = granted(await domain.aidants.beginEnrolment(token, identity));
      const { seed } = begun;
      const code = (): string => {
        clock.advance(30_000);
        return totp(seed, stepAt(clock.now()));
      };
      granted(await domain.aidants.confirmEnrolment(token, identity, code()));
      return { id: String(id), code };
    },
  };
};

test('each command has its help, its flags are not repeated, and the documentation has every command and exit code', () => {
  const page = readFileSync(new URL('../../docs/command-line.md', import.meta.url), 'utf8');
  for (const command of commands) {
    assert.match(helpOf(command), new RegExp(`Usage: relais ${command.name}`));
    assert.equal(new Set(command.flags.map((flag) => flag.name)).size, command.flags.length);
    assert.ok(page.includes(`\`relais ${command.name}`), `docs/command-line.md lacks ${command.name}`);
  }
  for (const [code, meaning] of EXIT_TABLE) assert.ok(page.includes(`| ${code} | ${meaning} |`), `docs/command-line.md lacks exit code ${code}`);
  assert.equal(findCommand(['operateur', 'add', '--json'])?.command.name, 'operator add');
  assert.deepEqual(findCommand(['migrate', '--json'])?.rest, ['--json']);
  const classes = new Set(FAULTS.map(exitOfFault));
  assert.deepEqual([...classes].sort(), [4, 5, 6, 7]);
});

for (const kind of databases()) {
  test(`the command line on ${kind.kind}: a third-party service is registered in two commands, by two people with their codes`, {
    database: kind.kind,
  }, async (t) => {
    const { run, operateur, context } = await desk(t, kind);
    const [alice, marc] = [await operateur('alice'), await operateur('marc')];
    assert.equal((await run('administration add --name "Caisse d’allocations"')).code, 0);
    const add =
      'service add --id allocations --name Allocations --administration "Caisse d’allocations" --profile standard --theme famille --theme logement' +
      ' --redirect-uri http://localhost:8403/retour --scope given_name --delegation-supported' +
      ' --demarche "allocations.paiements;read;famille;vos paiements;your payments"';
    assert.equal((await run(add)).code, 1);
    assert.match((await run(`${add} --as nobody@x.example --code 000000`)).text, /refused: unknown_operateur/);
    assert.match((await run(`${add} --as alice@x.example`)).text, /refused: no_code/);
    assert.match((await run(`${add} --as alice@x.example --code 12`)).text, /refused: wrong_code/);
    assert.match(
      (await run(`${add} --redirect-uri ftp://x --as alice@x.example --code ${alice.code()}`)).text,
      /redirectUris\[1\]: address_not_https/,
    );
    const made = await run(`${add} --as alice@x.example --code ${alice.code()} --json`);
    assert.equal(made.code, 0, made.text);
    assert.match(String(made.json()['clientSecret']), /^[\w-]{43}$/);
    assert.equal(made.json()['issuer'], 'http://localhost:8400/oidc');
    assert.match((await run('approvals list')).text, /service +allocations +opr_/);
    assert.match(
      (await run(`service approve allocations --fingerprint ${String(made.json()['hash'])} --as ${alice.id} --code ${alice.code()}`)).text,
      /refused: same_person/,
    );
    const approved = await run(`approvals approve ${String(made.json()['approval'])} --as ${marc.id}`, { ask: marc.code() });
    assert.match(approved.text, /Allocations is in force/);
    assert.match((await run('approvals list')).text, /nothing waits/);
    const listed = (await run('service list --json')).json() as unknown as { id: string; status: string; clientSecretHash?: string }[];
    assert.deepEqual(
      listed.map((it) => [it.id, it.status, it.clientSecretHash]),
      [['allocations', 'approved', undefined]],
    );
    const secret = 'service secret allocations';
    assert.match((await run(`${secret} --until 2020-01-01 --as alice@x.example --code ${alice.code()}`)).text, /refused: until_malformed/);
    const until = new Date(Date.now() + 86_400_000).toISOString().slice(0, 10);
    assert.match((await run(`${secret} --until ${until} --as alice@x.example --code ${alice.code()}`)).text, /secret +[\w-]{43}\n/);
    assert.match((await run(`service approve allocations --as ${marc.id}`, { ask: marc.code() })).text, /client_secret_former.* until /);
    const [both] = (await run('service list --json')).json() as unknown as { formerSecretUntil?: string }[];
    assert.equal(both?.formerSecretUntil, `${until}T00:00:00.000Z`);
    assert.match((await run(`${secret} --end-former --as ${marc.id} --code ${marc.code()}`)).text, /is refused from now on/);
    assert.match((await run(`${secret} --end-former --as ${marc.id} --code ${marc.code()}`)).text, /refused: no_former_secret/);
    assert.match((await run(`service disable allocations --as ${marc.id} --code ${marc.code()}`)).text, /is disabled/);
    // The code of a decision that was refused is used up with its entry; the decision has none.
    const types = await queued(context.database);
    assert.equal(types.filter((type) => type === 'approval.given').length, 2);
    assert.equal(types.filter((type) => type === 'factor.accepted').length, 8);
  });

  test(`the command line on ${kind.kind}: people and organisations, with refusals that say what to do`, { database: kind.kind }, async (t) => {
    const { run } = await desk(t, kind);
    assert.match((await run('organisation list')).text, /no organisation yet/);
    assert.equal((await run('organisation add --name Mairie')).code, 2);
    assert.match((await run('organisation add --name Mairie --siret 1 --theme famille')).text, /refused: siret_malformed/);
    const made = await run('organisation add --name "Mairie de Thénac" --siret 21750001600019 --theme famille --theme argent --json');
    assert.equal(made.code, 0);
    const aidant = 'aidant add --organisation 21750001600019 --given-name Karim --family-name Benali --email karim@x.example --theme famille';
    const invited = await run(`${aidant} --json`);
    assert.match(String(invited.json()['link']), /\/inscription\/[\w-]{43}$/);
    assert.match((await run(aidant)).text, /refused: email_known/);
    assert.match((await run(`staff invite --id ${String(invited.json()['id'])}`)).text, /Enrolment link/);
    assert.match((await run(`aidant add --id ${String(invited.json()['id'])} --organisation 21750001600019`)).text, /refused: already_member/);
    assert.match((await run('aidant list')).text, /Karim Benali +karim@x\.example +invited +Mairie de Thénac/);
    assert.match(
      (await run(`aidant remove ${String(invited.json()['id'])} --organisation 21750001600019 --reason départ`)).text,
      /2 delegated session\(s\) ended/,
    );
    assert.match((await run('organisation suspend 21750001600019 --reason contrôle')).text, /is suspended; 2 delegated/);
    assert.match((await run('organisation suspend 21750001600019 --reason contrôle')).text, /refused: not_active/);
    assert.match(
      (await run('agent add --administration nowhere --given-name N --family-name L --email n@x.example')).text,
      /refused: unknown_administration/,
    );
    for (const wrong of [
      'organisation nothing',
      'organisation list --wrong',
      'organisation suspend',
      'demo',
      'service approve a b',
      'organisation list extra',
    ])
      assert.equal((await run(wrong)).code, 2, wrong);
    // What somebody else wrote does not drive the terminal.
    assert.ok(!(await run('organisation \u001b[31m')).text.includes('\u001b'));
  });

  test(`relais doctor on ${kind.kind} names what is wrong and what to do`, { database: kind.kind }, async (t) => {
    const { run, context, clock, keysFolder } = await desk(t, kind);
    const healthy = await run('doctor');
    assert.equal(healthy.code, 0, healthy.text);
    await keepFingerprint(context.database.auto, 'pairwise', 'f'.repeat(64));
    assert.match((await run('doctor')).text, /FAIL {2}keys.*pairwise.*not the key that this database knows\n.*put back the key/);
    assert.match((await run('keys list')).text, /pairwise .*DIFFERENT/);
    await context.database.asOwner((query) => query("delete from key_fingerprint where name = 'pairwise'"));
    chmodSync(join(keysFolder, 'pairwise'), 0o644);
    assert.match((await run('doctor')).text, /others may read pairwise/);
    chmodSync(join(keysFolder, 'pairwise'), 0o600);
    clock.advance(10_000);
    assert.match((await run('doctor')).text, /FAIL {2}clock.*s away from the database/);
    clock.set(new Date());
    await context.database.asOwner((query) => query("update public.migration set hash = 'x' where name like '0002%'"));
    const edited = await run('doctor --json');
    assert.equal(edited.code, 1);
    assert.deepEqual(
      (edited.json()['checks'] as { name: string; ok: boolean }[]).filter((check) => !check.ok).map((check) => check.name),
      ['migrations'],
    );
    await run('organisation add --name Mairie --siret 21750001600019 --theme famille');
    clock.advance(120_000);
    assert.match((await run('doctor')).text, /FAIL {2}journal +0 entries, 1 waiting\n.*start an instance/);
    const [org] = await context.database.asOwner((query) => query('select id from organisation'));
    await context.database.asOwner((query) => query("insert into journal_keys.person_key (party_id, wrapped) values ($1, '\\x00')", [org?.['id']]));
    assert.match(
      (await run('doctor')).text,
      new RegExp(`put back from a backup of the key store the rows of journal_keys.person_key for ${org?.['id']}:`),
    );
  });
}
