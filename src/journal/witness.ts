import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { canonical } from '../kernel/canonical.ts';
import type { Clock } from '../kernel/clock.ts';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey, sha256 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { type Checkpoint, cosignNote, openNote, readCheckpoint, readVkey, textOf, type Verifier, verifierOf, writeVkey } from './note.ts';
import { verifyConsistency } from './proof.ts';
import { writeDurably } from './signer.ts';
import { EMPTY_ROOT } from './tree.ts';
import type { AddRequest } from './witness-wire.ts';

/**
 * A witness (C2SP tlog-witness): it remembers the last checkpoint of each log that it cosigned, and cosigns only what provably continues it. Its
 * folder is all it has: no database, nothing of the log's operator.
 */

/** Nobody but a log's own signer can make evidence; even so it does not fill the disk. */
const MOST_EVIDENCE = 1000;

/** What a witness remembers of a log: the last checkpoint that it cosigned, as the log signed it. */
export interface Remembered extends Checkpoint {
  readonly note: string;
}

export type Refusal =
  | { readonly refused: 'malformed' | 'unknown_log' | 'not_signed' | 'old_beyond_new' | 'inconsistent_proof' }
  /** `size`: what this witness last cosigned; ask again from there. */
  | { readonly refused: 'other_size'; readonly size: number }
  /** The log signed two trees of this size: nobody does that by mistake. */
  | { readonly refused: 'split_view'; readonly size: number };

/** Decides whether a witness that remembers `last` cosigns: C2SP tlog-witness, in the order of its checks. */
export const decide = (last: Remembered | undefined, offered: Checkpoint, { oldSize, proof }: Omit<AddRequest, 'note'>): Refusal | undefined => {
  const known = last ?? { size: 0, root: EMPTY_ROOT };
  if (oldSize > offered.size) return { refused: 'old_beyond_new' };
  if (oldSize !== known.size) return { refused: 'other_size', size: known.size };
  if (offered.size === known.size && !offered.root.equals(known.root))
    return known.size ? { refused: 'split_view', size: known.size } : { refused: 'inconsistent_proof' };
  if (oldSize === 0 && offered.size > 0) return proof.length ? { refused: 'inconsistent_proof' } : undefined;
  return verifyConsistency(oldSize, known.root, offered.size, offered.root, proof) ? undefined : { refused: 'inconsistent_proof' };
};

export interface Answer {
  /** Signature lines. */
  readonly cosigned: string;
  readonly checkpoint: Checkpoint;
}

/** What people are shown of a log. */
export interface Watched {
  readonly origin: string;
  /** Names the log in addresses: SHA-256 of its origin, hexadecimal. */
  readonly id: string;
  readonly size: number | undefined;
  /** Contradictory checkpoints of this log that are kept in the folder. */
  readonly evidence: number;
}

export interface Witness {
  readonly verifier: Verifier;
  add(request: AddRequest): Answer | Refusal;
  /** The last checkpoint cosigned of a log (by `Watched.id`), with a cosignature; undefined when there is none. */
  last(id: string): string | undefined;
  watched(): readonly Watched[];
}

const idOf = (origin: string): string => sha256(origin).toString('hex');

/** Reads the key of the folder, or makes it under `name`. The public key is written first: a private key that is there has its name beside it. */
const readKey = (folder: string, name: string | undefined) => {
  const [secret, open] = [join(folder, 'key.pem'), join(folder, 'vkey')];
  if (!existsSync(secret)) {
    if (existsSync(join(folder, 'logs')))
      throw new Failure('witness_key_missing', `${secret} is gone while ${folder} remembers logs: put it back, or start with an empty folder`);
    if (name === undefined) throw new Failure('witness_name_missing', 'a new witness needs a name, such as witness.example/journal');
    const pem = makePrivateKeyPem('ed25519');
    writeDurably(open, `${writeVkey(verifierOf(name, publicKeyOf(readPrivateKey(pem)), 'cosignature'))}\n`);
    writeDurably(secret, pem);
  }
  const key = readPrivateKey(readFileSync(secret, 'utf8'));
  const verifier = readVkey(readFileSync(open, 'utf8').trim());
  if (writeVkey(verifierOf(verifier.name, publicKeyOf(key), 'cosignature')) !== writeVkey(verifier))
    throw new Failure('witness_key_other', `${open} is not the public key of ${secret}`);
  if (name !== undefined && name !== verifier.name) throw new Failure('witness_name_other', `this witness is called ${verifier.name}, not ${name}`);
  return { key, verifier };
};

const readRemembered = (file: string, origin: string): Remembered | undefined => {
  if (!existsSync(file)) return undefined;
  try {
    const value: unknown = JSON.parse(readFileSync(file, 'utf8'));
    if (typeof value !== 'object' || value === null || !('note' in value) || typeof value.note !== 'string') throw new TypeError('no note');
    const checkpoint = readCheckpoint(textOf(value.note));
    if (checkpoint.origin !== origin) throw new TypeError('another log');
    return { ...checkpoint, note: value.note };
  } catch (cause) {
    throw new Failure('witness_state_damaged', `${file} cannot be read: restore it; this log is not cosigned until then`, { cause });
  }
};

/**
 * Opens the witness of a folder (made 0700 if it is missing); `name` is needed the first time only. One process a folder: see `holdFolder`. Fails
 * as `witness_key_missing`, `witness_key_other`, `witness_name_missing`, `witness_name_other` or `witness_state_damaged`.
 */
export const openWitness = (options: {
  readonly folder: string;
  readonly name?: string | undefined;
  /** Verifiers of the logs, named by their origin; several keys of one origin are all good. */
  readonly logs: readonly Verifier[];
  readonly clock: Clock;
  /** Called once for each contradiction that is kept. */
  readonly onSplit?: (origin: string, size: number) => void;
}): Witness => {
  const { folder, clock, onSplit = () => undefined } = options;
  const logs = options.logs.filter(({ kind }) => kind === 'note');
  const origins = [...new Set(logs.map(({ name }) => name))];
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const { key, verifier } = readKey(folder, options.name);
  const fileOf = (origin: string): string => join(folder, 'logs', `${idOf(origin)}.json`);
  const evidenceOf = (origin: string): string => join(folder, 'evidence', idOf(origin));
  const kept = (origin: string): string[] => (existsSync(evidenceOf(origin)) ? readdirSync(evidenceOf(origin)) : []);
  for (const origin of origins) readRemembered(fileOf(origin), origin);
  const cosign = (note: string): string => cosignNote(textOf(note), verifier.name, key, clock.now());

  /** Two signed trees of one size: both are kept, the one that was cosigned with the cosignature. */
  const keep = (last: Remembered, offered: Remembered): void => {
    const fileFor = ({ size, root }: Checkpoint): string => `${size}-${root.toString('hex').slice(0, 16)}.note`;
    const there = kept(last.origin);
    if (there.includes(fileFor(offered)) || there.length >= MOST_EVIDENCE) return;
    if (!there.includes(fileFor(last))) writeDurably(join(evidenceOf(last.origin), fileFor(last)), last.note + cosign(last.note));
    writeDurably(join(evidenceOf(last.origin), fileFor(offered)), offered.note);
    onSplit(last.origin, last.size);
  };

  return {
    verifier,
    add(request) {
      const origin = request.note.slice(0, Math.max(request.note.indexOf('\n'), 0));
      if (!origins.includes(origin)) return { refused: request.note.includes('\n\n') ? 'unknown_log' : 'malformed' };
      let offered: Remembered;
      try {
        const { text, lines } = openNote(
          request.note,
          logs.filter(({ name }) => name === origin),
        );
        offered = { ...readCheckpoint(text), note: `${text}\n${lines.join('')}` };
      } catch (error) {
        if (error instanceof Failure) return { refused: /^note_(?:unsigned|signature)/.test(error.code) ? 'not_signed' : 'malformed' };
        throw error;
      }
      // Read, decided and written in one go: nothing else of this process runs between.
      const last = readRemembered(fileOf(origin), origin);
      if (last && last.size > 0 && last.size === offered.size && !last.root.equals(offered.root)) keep(last, offered);
      const refused = decide(last, offered, request);
      if (refused) return refused;
      // Commit point: what is about to be cosigned is on the disk before the cosignature exists.
      if (offered.size !== last?.size) writeDurably(fileOf(origin), `${canonical({ note: offered.note, origin, size: offered.size })}\n`);
      return { cosigned: cosign(offered.note), checkpoint: offered };
    },
    last(id) {
      const origin = origins.find((one) => idOf(one) === id);
      const last = origin === undefined ? undefined : readRemembered(fileOf(origin), origin);
      return last && last.note + cosign(last.note);
    },
    watched: () =>
      origins.map((origin) => ({
        origin,
        id: idOf(origin),
        size: readRemembered(fileOf(origin), origin)?.size,
        evidence: kept(origin).length,
      })),
  };
};
