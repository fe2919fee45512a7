import { makeNextSigningKey, readNextSigningKey, SIGNING, SIGNING_NAMES, type SigningName, settleSigningKey } from '../config/keys.ts';
import { Failure } from '../kernel/failure.ts';
import { type KeyTimes, type SigningKey, signingKey } from '../provider/key-set.ts';
import { PUBLISHED_MS } from '../provider/signing.ts';
import { AS_FLAGS, EXIT, type Flag, type HouseCommand, type Input, JSON_FLAG, type LocalCommand } from './command.ts';
import type { CommandContext } from './context.ts';
import { proveOperateur } from './operateur.ts';
import { refuse } from './refusals.ts';
import { readFolders } from './settings.ts';

const KEY_FLAG: Flag = { name: 'key', kind: 'text', value: 'NAME', help: 'op-es256, op-rs256 or ssf-rs256 (signal streams)', required: true };

const nameOf = (input: Input): SigningName | undefined => SIGNING_NAMES.find((name) => name === input.must('key'));

interface Pair {
  readonly name: SigningName;
  /** The one in its place, and the one that follows if it is there. */
  readonly own: SigningKey;
  readonly next: SigningKey | undefined;
}

/** As the files are now: a process that runs started with others. */
const pairOf = async (context: CommandContext, name: SigningName): Promise<Pair> => {
  const pems = context.keys().signing(name);
  const [own, next] = await Promise.all(pems.map(({ pem, alg }) => signingKey(pem, alg)));
  if (!own) throw new Failure('keys_missing', name);
  return { name, own, next };
};

const stateOf = (times: KeyTimes | undefined): string => {
  if (!times) return 'not published';
  if (times.revokedAt) return `revoked ${times.revokedAt.toISOString()}`;
  return times.promotedAt ? `in force since ${times.promotedAt.toISOString()}` : `published ${times.publishedAt.toISOString()}`;
};

/** What the database says of the keys that sign tokens, for `keys list`. */
export const signingStates = async (context: CommandContext): Promise<ReadonlyMap<string, string>> => {
  const times = await (await context.domain()).signingKeys.times();
  const of = (key: SigningKey): string => `${key.kid}: ${stateOf(times.find(({ kid }) => kid === key.kid))}`;
  const pairs = await Promise.all(SIGNING_NAMES.filter((name) => context.keys().has(name)).map((name) => pairOf(context, name)));
  return new Map(pairs.flatMap(({ name, own, next }) => [[name, of(own)] as const, ...(next ? [[`${name}-next`, of(next)] as const] : [])]));
};

export const keysNext: LocalCommand = {
  name: 'keys next',
  where: 'here',
  summary: 'make the key that follows one that signs tokens or signals; it is published as soon as it is in the keys folder of an instance',
  flags: [KEY_FLAG, { name: 'folder', kind: 'text', value: 'FOLDER', help: 'instead of RELAIS_KEYS or keys/' }, JSON_FLAG],
  notes: ['Bring the file to every instance (0600); none is restarted. Keep one ready: it is what signs if the other is stolen.'],
  run: async (input, io) => {
    const name = nameOf(input);
    if (!name) return refuse(io, { refused: 'unknown_signing_key' }, input.on('json'));
    const folder = input.text('folder') ?? readFolders().keysFolder;
    const made = makeNextSigningKey(folder, name);
    const pem = readNextSigningKey(folder, name);
    const kid = pem ? (await signingKey(pem, SIGNING[name])).kid : '';
    io.out(
      input.on('json')
        ? JSON.stringify({ folder, made, kid })
        : `${made ? 'Made' : 'There is already'} ${name}-next.pem in ${folder}; its kid: ${kid}`,
    );
    return EXIT.done;
  },
};

const rotate: HouseCommand = {
  name: 'keys rotate',
  where: 'house',
  summary: 'have the key that follows sign; the one before stays published',
  flags: [KEY_FLAG, { name: 'now', kind: 'switch', help: 'even if it was published less than 24 hours ago' }, ...AS_FLAGS, JSON_FLAG],
  notes: ['Every instance changes within ten seconds. After 24 hours: relais keys settle.'],
  run: async (input, context, io) => {
    const json = input.on('json');
    const name = nameOf(input);
    const pair = name && (await pairOf(context, name));
    if (!pair?.next) return refuse(io, { refused: name ? 'next_signing_key_missing' : 'unknown_signing_key' }, json);
    const domain = await context.domain();
    const by = await proveOperateur(input, domain, io);
    if (typeof by !== 'string') return refuse(io, by, json);
    const answer = await domain.signingKeys.promote(pair.next.kid, pair.next.alg, by, input.on('now'));
    if ('refused' in answer) return refuse(io, answer, json);
    io.out(
      json
        ? JSON.stringify({ kid: pair.next.kid })
        : `${pair.next.kid} signs from now on; ${pair.own.kid} stays published. In 24 hours: relais keys settle --key ${pair.name}`,
    );
    return EXIT.done;
  },
};

const revoke: HouseCommand = {
  name: 'keys revoke',
  where: 'house',
  summary: 'declare a key that signs stolen: it is published no more, the other one signs, and if it signs tokens everything that is open ends now',
  flags: [KEY_FLAG, ...AS_FLAGS, JSON_FLAG],
  notes: [
    'Everybody signs in again, but for ssf-rs256, with which nobody signs in. Again after a fault: it goes on.',
    'Then: relais keys settle, on each instance, and a new relais keys next.',
  ],
  run: async (input, context, io) => {
    const json = input.on('json');
    const name = nameOf(input);
    const pair = name && (await pairOf(context, name));
    if (!pair?.next) return refuse(io, { refused: name ? 'next_signing_key_missing' : 'unknown_signing_key' }, json);
    const domain = await context.domain();
    const times = await domain.signingKeys.times();
    const promoted = (kid: string): number => times.find((each) => each.kid === kid)?.promotedAt?.getTime() ?? 0;
    const revoked = (kid: string): boolean => times.some((each) => each.kid === kid && each.revokedAt !== undefined);
    const { own, next } = pair;
    const nextSigns = !revoked(next.kid) && promoted(next.kid) > promoted(own.kid);
    const [stolen, other] = revoked(next.kid) || nextSigns ? [next, own] : [own, next];
    const by = await proveOperateur(input, domain, io);
    if (typeof by !== 'string') return refuse(io, by, json);
    const answer = await domain.signingKeys.revoke(stolen.kid, other.kid, stolen.alg, by, name === 'ssf-rs256' ? 'signals' : 'tokens');
    if ('refused' in answer) return refuse(io, answer, json);
    io.out(
      json
        ? JSON.stringify({ revoked: stolen.kid, kid: other.kid, sessions: answer.sessions })
        : `${stolen.kid} is revoked, ${other.kid} signs, ${answer.sessions} delegated session(s) ended. Services learn it when they read the keys again: at most 5 minutes.`,
    );
    return EXIT.done;
  },
};

const settle: HouseCommand = {
  name: 'keys settle',
  where: 'house',
  summary: 'put the key that signs in the place of the one before, which is gone then; on each instance',
  flags: [KEY_FLAG, JSON_FLAG],
  run: async (input, context, io) => {
    const json = input.on('json');
    const name = nameOf(input);
    const pair = name && (await pairOf(context, name));
    if (!pair?.next) return refuse(io, { refused: name ? 'next_signing_key_missing' : 'unknown_signing_key' }, json);
    const { own, next } = pair;
    const times = await (await context.domain()).signingKeys.times();
    const of = (kid: string): KeyTimes | undefined => times.find((each) => each.kid === kid);
    const since = of(next.kid)?.promotedAt?.getTime();
    const stolen = of(own.kid)?.revokedAt !== undefined;
    if (of(next.kid)?.revokedAt) return refuse(io, { refused: 'key_revoked' }, json);
    if (!stolen && (since === undefined || since > context.clock.now().getTime() - PUBLISHED_MS))
      return refuse(io, { refused: 'key_still_needed' }, json);
    settleSigningKey(context.keys().folder, pair.name);
    io.out(json ? JSON.stringify({ kid: next.kid, gone: own.kid }) : `${pair.name}.pem is now ${next.kid}; ${own.kid} is gone from this machine.`);
    return EXIT.done;
  },
};

export const signingKeyCommands: readonly HouseCommand[] = [rotate, revoke, settle];
