import { equal } from '../kernel/crypto.ts';
import { silentEndpoints } from '../persistence/deliveries.ts';
import { readRegistration } from '../services/registration.ts';
import type { Difference } from '../services/revision.ts';
import type { Registered, ServiceRefusal } from '../services/services.ts';
import { AS_FLAGS, EXIT, type HouseCommand, type Input, type Io, JSON_FLAG, table } from './command.ts';
import type { CommandContext, Domain } from './context.ts';
import { codeOf, findOperateur, type OperateurRefusal, proveOperateur } from './operateur.ts';
import { refuse } from './refusals.ts';

type FlagRefusal = { readonly refused: 'file_malformed' | 'demarche_flag_malformed' };

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** `code;effect;theme,theme;French label;English label`. */
const demarche = (text: string): object | undefined => {
  const [code, effect, themes, labelFr, labelEn, ...rest] = text.split(';').map((part) => part.trim());
  return labelFr === undefined || rest.length ? undefined : { code, effect, themes: themes?.split(','), labelFr, labelEn: labelEn ?? labelFr };
};

const SINGLE = [
  ['id', 'id'],
  ['name', 'name'],
  ['profile', 'profile'],
  ['sector', 'sector'],
  ['backchannel-logout-uri', 'backchannelLogoutUri'],
  ['initiate-login-uri', 'initiateLoginUri'],
  ['auth-method', 'tokenEndpointAuthMethod'],
  ['id-token-alg', 'idTokenSignedResponseAlg'],
  ['minimum-consent', 'minimumConsent'],
] as const;
const MANY = [
  ['redirect-uri', 'redirectUris'],
  ['post-logout-uri', 'postLogoutRedirectUris'],
  ['theme', 'themes'],
  ['scope', 'scopes'],
  ['resource', 'resources'],
] as const;

/** Makes a registration of a file and of flags; a flag wins over the file. The rules of `readRegistration` come after. */
const registrationOf = async (input: Input, domain: Domain, io: Io): Promise<{ readonly asked: Record<string, unknown> } | FlagRefusal> => {
  const file = input.text('file');
  const base = file === undefined ? {} : parse(await io.read(file));
  if (!isObject(base)) return { refused: 'file_malformed' };
  const asked: Record<string, unknown> = { ...base };
  for (const [flag, member] of SINGLE) if (input.text(flag) !== undefined) asked[member] = input.text(flag);
  for (const [flag, member] of MANY) if (input.list(flag).length) asked[member] = input.list(flag);
  if (input.on('delegation-supported')) asked['delegationSupported'] = true;
  const demarches = input.list('demarche').map(demarche);
  if (demarches.includes(undefined)) return { refused: 'demarche_flag_malformed' };
  if (demarches.length) asked['demarches'] = demarches;
  const jwks = input.text('jwks');
  if (jwks !== undefined) {
    asked['jwks'] = parse(await io.read(jwks));
    if (asked['jwks'] === undefined) return { refused: 'file_malformed' };
  }
  const administration = input.text('administration') ?? asked['administrationId'];
  asked['administrationId'] = (await domain.administrations.list()).find((it) => it.name === administration)?.id ?? administration;
  return { asked };
};

/** Differences as lines: `+` comes, `-` leaves, `~` changes. */
export const differenceLines = (found: readonly Difference[]): string[] =>
  found.length === 0
    ? ['  nothing differs']
    : found.map(({ what, was, becomes }) => {
        if (was === undefined) return `  + ${what}: ${becomes}`;
        return becomes === undefined ? `  - ${what}: ${was}` : `  ~ ${what}: ${was}  ->  ${becomes}`;
      });

export const tell = (made: Registered, input: Input, context: CommandContext, io: Io): number => {
  const { service, revision, differences, replaced, approval, clientSecret } = made;
  const issuer = `${context.publicUrl}/oidc`;
  const fingerprint = approval.hash.toString('hex');
  if (input.on('json')) {
    io.out(
      JSON.stringify({
        id: service.id,
        issuer,
        revision,
        differences,
        ...(replaced ? { replaced } : {}),
        approval: approval.id,
        hash: fingerprint,
        ...(clientSecret === undefined ? {} : { clientSecret }),
      }),
    );
    return EXIT.done;
  }
  if (revision === 1) io.out(`${service.name} is registered and waits for a second opérateur.`);
  else io.out(`Revision ${revision} of ${service.name} waits for a second opérateur; until then the service goes on as it is.`);
  if (revision > 1) for (const line of differenceLines(differences)) io.out(line);
  if (replaced)
    io.out(
      `It takes the place of revision ${replaced.number}, asked by ${replaced.askedBy}: relais service diff ${service.id} --revision ${replaced.number}`,
    );
  io.out(`  issuer       ${issuer}\n  client_id    ${service.id}`);
  if (clientSecret !== undefined) io.out(`  secret       ${clientSecret}\n  (shown once, and not kept: store it now)`);
  io.out(`  fingerprint  ${fingerprint}`);
  io.out(`Next, by another opérateur: relais service approve ${service.id} --as OPERATEUR`);
  return EXIT.done;
};

/** Checks everything that can be checked before a code is used up, then proves the opérateur, then writes. */
const register = async (input: Input, context: CommandContext, io: Io): Promise<Registered | ServiceRefusal | FlagRefusal | OperateurRefusal> => {
  const domain = await context.domain();
  const composed = await registrationOf(input, domain, io);
  if ('refused' in composed) return composed;
  const { asked } = composed;
  const read = readRegistration(asked, { allowLoopback: context.mode === 'demonstration' });
  if ('faults' in read) return { refused: 'registration_invalid', faults: read.faults };
  const askedBy = await proveOperateur(input, domain, io);
  if (typeof askedBy !== 'string') return askedBy;
  return input.on('change') ? domain.services.change(asked, { askedBy, newSecret: input.on('new-secret') }) : domain.services.add(asked, { askedBy });
};

const add: HouseCommand = {
  name: 'service add',
  where: 'house',
  summary: 'register a public service; another opérateur approves it',
  flags: [
    { name: 'id', kind: 'text', value: 'ID', help: 'client_id: small letters, digits, hyphens' },
    { name: 'name', kind: 'text', value: 'NAME', help: 'its name, as usagers will read it' },
    { name: 'administration', kind: 'text', value: 'ID|NAME', help: 'the administration that owns it' },
    { name: 'profile', kind: 'text', value: 'PROFILE', help: 'fapi2 (default), standard, or franceconnect for FranceConnect itself' },
    { name: 'redirect-uri', kind: 'list', value: 'URL', help: 'exact redirect address' },
    { name: 'post-logout-uri', kind: 'list', value: 'URL', help: 'exact address after logout' },
    { name: 'backchannel-logout-uri', kind: 'text', value: 'URL', help: 'where logout tokens are posted' },
    { name: 'initiate-login-uri', kind: 'text', value: 'URL', help: 'where an aidant may be sent to start' },
    { name: 'theme', kind: 'list', value: 'THEME', help: 'one of the ten themes' },
    { name: 'scope', kind: 'list', value: 'SCOPE', help: 'identity scope: given_name, family_name, birthdate, …' },
    { name: 'resource', kind: 'list', value: 'URL', help: 'an API that takes tokens of a minute, signed; its démarches only read' },
    { name: 'delegation-supported', kind: 'switch', help: 'it knows what `act` means: without this it never receives a delegated token' },
    { name: 'demarche', kind: 'list', value: 'TEXT', help: '"code;read|declare|change;theme,theme;French label;English label"' },
    { name: 'jwks', kind: 'text', value: 'FILE', help: 'its public keys; without it, profile standard gets a secret, shown once' },
    { name: 'auth-method', kind: 'text', value: 'METHOD', help: 'client_secret_basic, client_secret_post or private_key_jwt' },
    { name: 'id-token-alg', kind: 'text', value: 'ALG', help: 'ES256 (default) or RS256' },
    { name: 'sector', kind: 'text', value: 'ID', help: 'shared by services of one administration that must see the same identifiers' },
    { name: 'minimum-consent', kind: 'text', value: 'LEVEL', help: 'eidas1 (default) or eidas2' },
    { name: 'file', kind: 'text', value: 'FILE', help: 'all of this as one JSON object (docs/command-line.md); flags win' },
    { name: 'change', kind: 'switch', help: 'changes a service that exists, which goes on as it is until another opérateur approves' },
    { name: 'new-secret', kind: 'switch', help: 'with --change: draws another secret, in force once approved' },
    ...AS_FLAGS,
    JSON_FLAG,
  ],
  run: async (input, context, io) => {
    const made = await register(input, context, io);
    return 'refused' in made ? refuse(io, made, input.on('json')) : tell(made, input, context, io);
  },
};

/**
 * Puts into force what was read, and nothing else: what is shown before the code is asked for, what has this fingerprint, or what this approval is of.
 * With the code on the command line, or --json, nobody reads in between, so that one of the other two is needed. The code is used up in the same transaction.
 */
export const approveService = async (id: string, input: Input, context: CommandContext, io: Io, approval?: string): Promise<number> => {
  const domain = await context.domain();
  const no = (refused: string): number => refuse(io, { refused }, input.on('json'));
  const operateur = await findOperateur(input, domain);
  if (typeof operateur !== 'string') return refuse(io, operateur, input.on('json'));
  const read = await domain.services.waiting(id);
  if (!read) return no((await domain.services.find(id)) ? 'not_pending' : 'unknown_service');
  const fingerprint = input.text('fingerprint');
  if (fingerprint === undefined && approval === undefined && (input.text('code') !== undefined || input.on('json'))) return no('fingerprint_needed');
  const asRead = approval === undefined || approval === read.revision.approvalId;
  if (!asRead || (fingerprint !== undefined && !equal(fingerprint, read.hash.toString('hex')))) return no('not_what_was_read');
  if (!input.on('json')) for (const line of [`Revision ${read.revision.number} of ${id}:`, ...differenceLines(read.differences)]) io.out(line);
  const code = await codeOf(input, io);
  if (code === undefined) return refuse(io, { refused: 'no_code' }, input.on('json'));
  const done = await context.database.run(async (tx) => {
    const answer = await domain.means.verifyCodeIn(tx, operateur, code, 'approval');
    return 'refused' in answer ? answer : domain.services.approveIn(tx, id, operateur, read.hash);
  });
  domain.journal.nudge();
  if ('refused' in done) return refuse(io, done, input.on('json'));
  io.out(input.on('json') ? JSON.stringify({ id, status: done.service.status, version: done.service.version }) : `${done.service.name} is in force.`);
  return EXIT.done;
};

const approve: HouseCommand = {
  name: 'service approve',
  where: 'house',
  summary: 'approve a registered service or a change of it, as a second opérateur',
  subject: { name: 'ID', help: 'client_id of the service' },
  flags: [{ name: 'fingerprint', kind: 'text', value: 'HEX', help: 'the one that was read; another is refused' }, ...AS_FLAGS, JSON_FLAG],
  run: (input, context, io) => approveService(input.subject, input, context, io),
};

const disable: HouseCommand = {
  name: 'service disable',
  where: 'house',
  summary: 'take a service out of use; one opérateur is enough',
  subject: { name: 'ID', help: 'client_id of the service' },
  flags: [...AS_FLAGS, JSON_FLAG],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const actor = await proveOperateur(input, domain, io);
    if (typeof actor !== 'string') return refuse(io, actor, input.on('json'));
    const done = await domain.services.disable(input.subject, actor);
    if ('refused' in done) return refuse(io, done, input.on('json'));
    io.out(
      input.on('json')
        ? JSON.stringify({ id: input.subject, status: 'disabled', sessions: done.sessions })
        : `${done.service.name} is disabled; sessions ended: ${done.sessions}.`,
    );
    return EXIT.done;
  },
};

const list: HouseCommand = {
  name: 'service list',
  where: 'house',
  summary: 'list the services',
  flags: [JSON_FLAG],
  run: async (input, context, io) => {
    const silent = new Map((await silentEndpoints(context.database.auto)).map((each) => [each.target, each]));
    const found = (await (await context.domain()).services.list()).map(({ clientSecretHash: _, formerSecret, ...service }) => {
      const { since, waiting } = silent.get(service.id) ?? {};
      const former = formerSecret ? { formerSecretUntil: new Date(formerSecret.exp * 1000).toISOString() } : {};
      return { ...service, ...former, ...(since ? { silentSince: since.toISOString(), waiting } : {}) };
    });
    const rows = found.map((it) => [
      it.id,
      it.name,
      it.administrationName,
      it.profile,
      it.status,
      it.delegationSupported ? 'yes' : 'no',
      it.themes.join(' '),
      it.silentSince === undefined ? '' : `silent since ${it.silentSince}, ${it.waiting} to tell`,
    ]);
    io.out(
      input.on('json')
        ? JSON.stringify(found)
        : table(
            ['client_id', 'name', 'administration', 'profile', 'status', 'delegation', 'themes', 'signals'],
            rows,
            'no service yet: `relais service add`',
          ),
    );
    return EXIT.done;
  },
};

export const serviceCommands: readonly HouseCommand[] = [add, approve, list, disable];
