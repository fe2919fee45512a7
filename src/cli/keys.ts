import { makeMissingKeys, makeNextJournalKey, readKeys } from '../config/keys.ts';
import { isRemembered, readFingerprints } from '../persistence/inspection.ts';
import { EXIT, type HouseCommand, JSON_FLAG, type LocalCommand, table } from './command.ts';
import { readFolders } from './settings.ts';
import { signingStates } from './signing-keys.ts';

/** Keys whose fingerprint the database keeps: another one under the same database would break what was written with it. */
export const REMEMBERED = ['journal-ed25519', 'pairwise', 'payload-kek'] as const;
const NAMES = [
  'op-es256',
  'op-rs256',
  'ssf-rs256',
  'journal-ed25519',
  'attestation-ed25519',
  'journal-mac',
  'payload-kek',
  'totp-kek',
  'pairwise',
  'cookies',
  'dpop-nonce',
] as const;

export const keysMake: LocalCommand = {
  name: 'keys make',
  where: 'here',
  summary: 'make the keys that are missing in the keys folder',
  flags: [
    { name: 'folder', kind: 'text', value: 'FOLDER', help: 'instead of RELAIS_KEYS or keys/' },
    { name: 'next', kind: 'switch', help: 'only journal-ed25519-next.pem, which `relais journal rotate-key` puts in place of the journal’s key' },
    JSON_FLAG,
  ],
  notes: ['Files are 0600. Keys that are there are never replaced. Back them up apart from the database.'],
  run: async (input, io) => {
    const folder = input.text('folder') ?? readFolders().keysFolder;
    if (input.on('next')) {
      const { made, fingerprint } = makeNextJournalKey(folder);
      if (input.on('json')) io.out(JSON.stringify({ folder, made: made ? ['journal-ed25519-next'] : [], fingerprint }));
      else {
        io.out(made ? `Made in ${folder}: journal-ed25519-next` : `${folder} has a journal-ed25519-next.pem already`);
        io.out(`Its fingerprint, which two opérateurs agree on: ${fingerprint}`);
      }
      return EXIT.done;
    }
    const made = makeMissingKeys(folder);
    const keys = readKeys(folder);
    if (input.on('json')) io.out(JSON.stringify({ folder, made }));
    else
      io.out(
        made.length
          ? `Made in ${folder}: ${made.join(', ')}`
          : `${folder} has every key; fingerprint of pairwise: ${keys.fingerprint('pairwise').slice(0, 16)}`,
      );
    return EXIT.done;
  },
};

const list: HouseCommand = {
  name: 'keys list',
  where: 'house',
  summary: 'list the keys, their fingerprints, and what the database remembers of them',
  flags: [JSON_FLAG],
  run: async (input, context, io) => {
    const keys = context.keys();
    const known = await readFingerprints(context.database.auto);
    const signing = await signingStates(context);
    const found: { name: string; fingerprint: string; database: string }[] = NAMES.map((name) => {
      if (!keys.has(name)) return { name, fingerprint: '', database: name === 'ssf-rs256' ? 'not there: no signal streams' : 'held by the signer' };
      const fingerprint = keys.fingerprint(name);
      const state = signing.get(name);
      if (state !== undefined) return { name, fingerprint, database: state };
      return { name, fingerprint, database: !known.has(name) ? 'not kept' : isRemembered(known, name, fingerprint) ? 'same' : 'DIFFERENT' };
    });
    for (const [name, state] of signing) if (name.endsWith('-next')) found.push({ name, fingerprint: '', database: state });
    io.out(
      input.on('json')
        ? JSON.stringify(found)
        : table(
            ['key', 'fingerprint', 'in the database'],
            found.map((it) => [it.name, it.fingerprint.slice(0, 32), it.database]),
            '',
          ),
    );
    return found.some((it) => it.database === 'DIFFERENT') ? EXIT.refused : EXIT.done;
  },
};

export const keyCommands: readonly HouseCommand[] = [list];
