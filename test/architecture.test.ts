import { globSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { join } from 'node:path';
import { assert, test } from './support/check.ts';
import {
  blank,
  folderOf,
  found,
  type Import,
  imports,
  importsOf,
  isRelative,
  line,
  packageOf,
  resolved,
  root,
  type Source,
  sourceOf,
  sources,
} from './support/sources.ts';

/** The rules of the house that a program can check. Each failure names the file, the line, the rule, and what to do instead. */

/** Lowest first: a file imports from its own folder and from those before it. */
const ORDER = [
  'kernel',
  'journal',
  'organisations',
  'aidants',
  'approvals',
  'usagers',
  'services',
  'mandates',
  'delegation',
  'actions',
  'notices',
  'upstream',
  'provider',
  'signals',
  'persistence',
  'jobs',
  'web',
  'config',
  'cli',
  'practice',
] as const;
/** Files beside the folders. They join everything, and only the outermost folders may start them. */
const JOINERS = ['app.ts', 'app-jobs.ts', 'app-signals.ts', 'main.ts'];

/** Who may name a package. `practice` plays other people's programs, hence its place in three of them. */
const PACKAGES: readonly { readonly names: RegExp; readonly allowed: readonly string[] }[] = [
  { names: /^(pg|pg-.*|@electric-sql\/.*|drizzle-orm)$/, allowed: ['persistence'] },
  { names: /^oidc-provider$/, allowed: ['provider', 'practice'] },
  { names: /^openid-client$/, allowed: ['upstream', 'practice', 'cli/listen-relais.ts'] },
  { names: /^(fastify|@fastify\/.*)$/, allowed: ['web', 'app.ts', 'practice'] },
  { names: /^@simplewebauthn\/.*$/, allowed: ['aidants/passkey.ts'] },
  { names: /^(node:)?crypto$/, allowed: ['kernel/crypto.ts'] },
];

const FORBIDDEN_FOLDERS = ['utils', 'util', 'helpers', 'helper', 'common', 'types', 'lib', 'misc', 'shared'];

const rank = (folder: string): number => (ORDER as readonly string[]).indexOf(folder);
const none = (faults: readonly string[], rule: string): void => assert.deepEqual(faults, [], `${rule}\n  ${faults.join('\n  ')}\n`);

/** Why an import between folders is refused, or undefined. */
const refusal = (made: Import): string | undefined => {
  const from = made.source.folder;
  const to = folderOf(resolved(made));
  if (resolved(made).startsWith('..')) return 'leaves src/';
  if (from === to || JOINERS.includes(from)) return undefined;
  if (JOINERS.includes(to)) return ['practice', 'cli'].includes(from) ? undefined : 'only practice, cli and main.ts start the application';
  if (to === 'practice')
    return from === 'cli' ? undefined : 'simulators and test identities are reached from practice and cli alone, never from what production loads';
  if (to === 'config' && from === 'web')
    return made.typesOnly ? undefined : 'web receives the configuration: it imports only its types (`import type`)';
  if (to === 'config' && from === 'practice') return undefined; // it configures the demonstration
  return rank(to) < rank(from)
    ? undefined
    : `${from} comes before ${to} in the order of folders: declare a port in ${from}, and let app.ts join them`;
};

test('every folder of src/ is in the order of folders, and only app*.ts and main.ts stand beside them', () => {
  const folders = [...new Set(sources.map((source) => source.folder))];
  none(
    folders.filter((folder) => rank(folder) < 0 && !JOINERS.includes(folder)),
    'unknown folder or file in src/: give it its place in ORDER',
  );
});

test('a file imports only from its own folder and from those before it', () => {
  const faults = imports
    .filter((made) => isRelative(made.target))
    .flatMap((made) => {
      const reason = refusal(made);
      return reason ? [`${made.at} imports ${made.target}: ${reason}`] : [];
    });
  none(faults, 'imports against the order of folders:');
});

/** Every source that a program of src/ loads, however far, by imports of values. */
const loadedBy = (program: string): Set<string> => {
  const loaded = new Set([program]);
  for (const path of loaded)
    for (const made of imports) if (made.source.path === path && isRelative(made.target) && !made.typesOnly) loaded.add(resolved(made));
  return loaded;
};

test('what production starts loads nothing of practice: neither the server, nor the command line, nor the signer', () => {
  for (const program of ['main.ts', 'cli/main.ts', 'journal/signer-worker.ts']) {
    const loaded = loadedBy(program);
    assert.ok(sources.some(({ path }) => path === program) && loaded.size > 1, program);
    none(
      [...loaded].filter((path) => folderOf(path) === 'practice'),
      `${program} loads simulators or test identities:`,
    );
  }
  assert.ok(loadedBy('practice/start.ts').has('practice/simulator.ts'));
});

test('a package is named only where it belongs', () => {
  const faults = imports
    .filter((made) => !isRelative(made.target))
    .flatMap((made) => {
      const name = made.target.startsWith('node:') ? made.target : packageOf(made.target);
      const rule = PACKAGES.find(({ names }) => names.test(name));
      if (!rule || rule.allowed.includes(made.source.folder) || rule.allowed.includes(made.source.path)) return [];
      return [`${made.at} names ${name}: only ${rule.allowed.join(', ')} may`];
    });
  none(faults, 'packages named outside their folder:');
});

test('what is imported is declared: node: before what Node has, and a dependency of package.json for the rest', () => {
  const declared = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies?: Record<string, string> };
  const faults = imports
    .filter((made) => !isRelative(made.target) && !made.target.startsWith('node:'))
    .flatMap((made) => {
      const name = packageOf(made.target);
      if (builtinModules.includes(name)) return [`${made.at} names ${name}: write node:${name}`];
      if (name in (declared.dependencies ?? {})) return [];
      return made.typesOnly && name === 'koa' ? [] : [`${made.at} names ${name}, which is not in the dependencies of package.json`];
    });
  none(faults, 'undeclared imports:');
});

test('a relative import names its file with its extension', () => {
  const faults = imports.filter((made) => isRelative(made.target) && !/\.(tsx?|json|css|sql)$/.test(made.target));
  none(
    faults.map((made) => `${made.at} imports ${made.target}`),
    'write the extension .ts or .tsx:',
  );
});

test('only config/environment.ts reads the environment', () => {
  const faults = sources
    .filter(({ path }) => path !== 'config/environment.ts')
    .flatMap((source) => found(source, /\bprocess\s*(?:\.|\?\.)\s*env\b|\bprocess\s*\[|\{[^}\n]*\benv\b[^}\n]*\}\s*=\s*process\b/g, 'bare'));
  none(
    faults.map(({ at }) => at),
    'take the setting from Config instead of process.env:',
  );
});

test('only kernel/crypto.ts does cryptography, and only it compares in constant time', () => {
  const faults = sources
    .filter(({ path }) => path !== 'kernel/crypto.ts')
    .flatMap((source) =>
      found(source, /\btimingSafeEqual\b|\b(?:globalThis\.)?crypto\.(?:subtle|getRandomValues|randomUUID)\b|\bMath\.random\b|\bwebcrypto\b/g, 'bare'),
    );
  none(
    faults.map(({ at, match }) => `${at} uses ${match[0]}`),
    'use kernel/crypto.ts:',
  );
});

const SECRET = /(?:secret|token|csrf|otp|password|verifier|signature|mac)(?:\.reveal\(\))?$/i;
/** Literals, and names in capitals: constants of the program are no secrets. */
const LITERAL = /^(?:undefined|null|true|false|['"`\d-]|[A-Z][A-Z0-9_]*\b)/;

/** The comparisons of a source where one side is named like a secret and the other is not a literal. */
const comparisonsOfSecrets = (source: Source): string[] =>
  found(source, /(typeof\s+)?([\w$.?'"`]+(?:\(\))?)\s*[!=]==?\s*([\w$.?'"`-]+(?:\(\))?)/g, 'bare').flatMap(({ at, match }) => {
    const [, kind, left = '', right = ''] = match;
    if (kind || [left, right].some((side) => LITERAL.test(side)) || ![left, right].some((side) => SECRET.test(side))) return [];
    return [`${at}: ${match[0]}`];
  });

test('T1 no secret is compared with === or !==: every comparison goes through kernel/crypto.equal', () => {
  none(sources.flatMap(comparisonsOfSecrets), 'compare with equal() of kernel/crypto.ts:');
});

test('the domain asks its clock for the time, never the machine', () => {
  const upTo = rank('persistence');
  const faults = sources
    .filter(({ folder, path }) => rank(folder) >= 0 && rank(folder) < upTo && path !== 'kernel/clock.ts' && path !== 'kernel/ids.ts')
    .flatMap((source) => found(source, /\bDate\.now\(\)|\bnew Date\(\s*\)/g, 'bare'));
  none(
    faults.map(({ at, match }) => `${at} uses ${match[0]}`),
    'take a Clock (kernel/clock.ts):',
  );
});

/** Each speaks to addresses that the operator configured, or that a person typed on the command line; a registered one is signals/outgoing.ts's. */
const SPEAKERS = [
  'cli/listen.ts',
  'cli/listen-relais.ts',
  'journal/log-url.ts',
  'journal/timestamp.ts',
  'journal/witness-client.ts',
  'notices/sms.ts',
  'provider/options.ts', // the library's own, in the demonstration alone
  'signals/outgoing.ts',
];

test('I3 only signals/outgoing.ts speaks to an address that a service registered', () => {
  const calls = (source: Source): { at: string }[] => [
    ...found(source, /(?<![\w.$])(?:globalThis\.)?fetch\((?!tx|through|async)|\bnew WebSocket\(/g, 'bare'),
    ...found(source, /from 'node:(?:https|http2|tls)'|import \{[^}]*\b(?:request|get)\b[^}]*\} from 'node:http'/g, 'code'),
  ];
  const speaks = sources
    .filter(({ folder }) => folder !== 'practice')
    .flatMap((source) => calls(source).map(({ at }) => ({ at, path: source.path })));
  none(
    speaks.filter(({ path }) => !SPEAKERS.includes(path)).map(({ at }) => at),
    'post through Outgoing (signals/outgoing.ts), or name the file in SPEAKERS if the address is the operator’s:',
  );
  assert.ok(speaks.some(({ path }) => path === 'signals/outgoing.ts'));
  for (const text of ["import { request } from 'node:https';", 'await fetch(address);', "import {\n  request as r,\n} from 'node:http';"])
    assert.equal(calls(sourceOf('signals/x.ts', text)).length, 1, text);
});

test('no any, and no way round the compiler', () => {
  const faults = sources.flatMap((source) => [
    ...found(source, /(?::|<|,|\||&|=>|\bas)\s*any\b(?!\w*\s*[:(])|\bany\[\]/g, 'bare'),
    ...[...source.text.matchAll(/@ts-(?:ignore|nocheck|expect-error)/g)].map((match) => ({
      at: `src/${source.path}:${line(source.text, match.index)}`,
      match,
    })),
  ]);
  none(
    faults.map(({ at, match }) => `${at}: ${match[0].trim()}`),
    'write the type, or unknown and a check:',
  );
});

test('folders are words of the domain', () => {
  const faults = globSync('{src,test,bench}/**/', { cwd: root }).filter((folder) =>
    FORBIDDEN_FOLDERS.includes(folder.replace(/\/$/, '').split('/').at(-1) ?? ''),
  );
  none(faults, 'a folder with a name that says nothing:');
});

test('SQL is written in persistence alone', () => {
  const faults = imports.filter((made) => isRelative(made.target) && resolved(made) === 'persistence/sql.ts' && made.source.folder !== 'persistence');
  none(
    faults.map((made) => made.at),
    'give persistence a method, and call that:',
  );
});

test('the rules see what they should: each example breaks exactly its rule', () => {
  const reasons = (path: string, text: string): boolean =>
    importsOf(sourceOf(path, text)).some((made) => isRelative(made.target) && refusal(made) !== undefined);
  assert.equal(reasons('mandates/x.ts', "import { a } from '../web/a.ts';"), true);
  assert.equal(reasons('mandates/x.ts', "import {\n  a,\n  b,\n} from '../delegation/a.ts';"), true);
  assert.equal(reasons('mandates/x.ts', "const a = await import('../persistence/a.ts');"), true);
  assert.equal(reasons('mandates/x.ts', "export * from '../actions/a.ts';"), true);
  assert.equal(reasons('mandates/x.ts', "new Worker(new URL('../web/a.ts', import.meta.url))"), true);
  assert.equal(reasons('mandates/x.ts', "// import { a } from '../web/a.ts';\nimport { b } from '../usagers/b.ts';"), false);
  assert.equal(reasons('web/x.tsx', "import type { Config } from '../config/config.ts';"), false);
  assert.equal(reasons('web/x.tsx', "import { readKeys } from '../config/keys.ts';"), true);
  assert.equal(reasons('web/api/x.ts', "import { people } from '../../practice/people.ts';"), true);
  assert.equal(reasons('cli/demo.ts', "import { people } from '../practice/people.ts';"), false);
  const compares = (text: string): boolean => comparisonsOfSecrets(sourceOf('web/x.ts', text)).length > 0;
  assert.equal(compares('if (given.csrfToken === session.csrfToken) go();'), true);
  assert.equal(compares('if (x !== client.secret.reveal()) go();'), true);
  assert.equal(compares("if (token !== undefined && typeof otp === 'string' && url.password !== '' && type === 'mac') go();"), false);
  assert.equal(blank("const a = 'any'; // any\nconst b: any;", true).match(/any/g)?.length, 1);
});
