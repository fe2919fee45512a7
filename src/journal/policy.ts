import { rawEd25519 } from '../kernel/crypto.ts';
import { Failure } from '../kernel/failure.ts';
import { type Checkpoint, openNote, readCheckpoint, readVkey, type Verifier } from './note.ts';

/** C2SP tlog-policy: which logs and witnesses are known, and which witnesses together make a checkpoint worth trusting. */

export interface PolicyLog {
  readonly verifier: Verifier;
  readonly url?: string;
}

export interface PolicyWitness {
  /** Its name in the policy file, which says nothing elsewhere. */
  readonly name: string;
  readonly verifier: Verifier;
  /** Submission prefix of tlog-witness. */
  readonly url?: string;
}

export interface Policy {
  readonly logs: readonly PolicyLog[];
  readonly witnesses: readonly PolicyWitness[];
  readonly groups: ReadonlyMap<string, { readonly threshold: number; readonly members: readonly string[] }>;
  /** A witness, a group, or `none`. */
  readonly quorum: string;
  /** The file as it was read. */
  readonly text: string;
}

/** C2SP asks for 32 of each at least. */
const MOST_LINES = 256;

interface Reading {
  readonly logs: PolicyLog[];
  readonly witnesses: PolicyWitness[];
  readonly groups: Map<string, { threshold: number; members: string[] }>;
  readonly names: Set<string>;
  readonly members: Set<string>;
  readonly keys: Set<string>;
  quorum?: string;
}

const address = (url: string | undefined): { url?: string } => {
  if (url === undefined) return {};
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol)) throw new Error(`"${url}" is not an http or https address`);
  return { url };
};

/** Reads a vkey of the kind that the line asks for, once for each key of the file. */
const key = (reading: Reading, text: string, kind: Verifier['kind']): Verifier => {
  let verifier: Verifier;
  try {
    verifier = readVkey(text);
  } catch (error) {
    throw new Error(`the vkey cannot be read: ${error instanceof Failure ? error.detail : 'malformed'}`);
  }
  if (verifier.kind !== kind)
    throw new Error(
      kind === 'note' ? 'a log needs a key of type 0x01, this is of type 0x04' : 'a witness needs a key of type 0x04, this is of type 0x01',
    );
  const raw = `${kind} ${rawEd25519(verifier.key).toString('hex')}`;
  if (reading.keys.has(raw)) throw new Error('this key is there already');
  reading.keys.add(raw);
  return verifier;
};

const newName = (reading: Reading, name: string): string => {
  if (name === 'none') throw new Error('"none" is no name: it is what a quorum without witnesses is called');
  if (reading.names.has(name)) throw new Error(`"${name}" is the name of another`);
  reading.names.add(name);
  return name;
};

const thresholdOf = (text: string, members: number): number => {
  if (text === 'any') return 1;
  if (text === 'all') return members;
  const k = /^[1-9][0-9]{0,4}$/.test(text) ? Number(text) : 0;
  if (k < 1 || k > members) throw new Error(`"${text}" must be any, all, or a number from 1 to ${members}`);
  return k;
};

const readLine = (reading: Reading, words: readonly string[]): void => {
  const [keyword, first, second, third, ...rest] = words;
  if (keyword === 'log') {
    if (first === undefined || third !== undefined) throw new Error('expected: log VKEY [URL]');
    reading.logs.push({ verifier: key(reading, first, 'note'), ...address(second) });
  } else if (keyword === 'witness') {
    if (first === undefined || second === undefined || rest.length) throw new Error('expected: witness NAME VKEY [URL]');
    reading.witnesses.push({ name: newName(reading, first), verifier: key(reading, second, 'cosignature'), ...address(third) });
  } else if (keyword === 'group') {
    if (first === undefined || second === undefined || third === undefined) throw new Error('expected: group NAME any|all|NUMBER NAME…');
    const members = [third, ...rest];
    for (const member of members) {
      if (!reading.names.has(member)) throw new Error(`"${member}" is not defined above`);
      if (reading.members.has(member)) throw new Error(`"${member}" is a member already`);
      reading.members.add(member);
    }
    reading.groups.set(newName(reading, first), { threshold: thresholdOf(second, members.length), members });
  } else if (keyword === 'quorum') {
    if (first === undefined || second !== undefined) throw new Error('expected: quorum NAME');
    if (reading.quorum !== undefined) throw new Error('there is a quorum above already');
    if (first !== 'none' && !reading.names.has(first)) throw new Error(`"${first}" is not defined above`);
    reading.quorum = first;
  } else throw new Error(`"${keyword}" is none of log, witness, group, quorum`);
};

/** Reads a policy file. Fails as `policy_malformed`, naming each wrong line with its number and what is wrong with it. */
export const readPolicy = (text: string): Policy => {
  const faults: string[] = [];
  const reading: Reading = { logs: [], witnesses: [], groups: new Map(), names: new Set(), members: new Set(), keys: new Set() };
  const lines = text.split('\n');
  if (lines.length > MOST_LINES) faults.push(`more than ${MOST_LINES} lines`);
  for (const [i, line] of lines.slice(0, MOST_LINES).entries()) {
    const words = line.split(/[ \t]+/).filter(Boolean);
    try {
      if (/[^\P{Cc}\t\u0080-\u009f]/u.test(line)) throw new Error('a control character is not allowed');
      if (words.length && !words[0]?.startsWith('#')) readLine(reading, words);
    } catch (error) {
      faults.push(`line ${i + 1}: ${error instanceof Error ? error.message : 'malformed'}`);
    }
  }
  if (reading.quorum === undefined && !faults.length) faults.push('there is no quorum line');
  if (faults.length) throw new Failure('policy_malformed', faults.join('; '));
  const { logs, witnesses, groups, quorum = 'none' } = reading;
  return { logs, witnesses, groups, quorum, text };
};

/** Says whether these witnesses, by their names in the policy, make its quorum. */
export const isMet = (policy: Pick<Policy, 'groups' | 'quorum'>, witnesses: ReadonlySet<string>): boolean => {
  const has = (name: string): boolean => {
    const group = policy.groups.get(name);
    return group ? group.members.filter(has).length >= group.threshold : witnesses.has(name);
  };
  return policy.quorum === 'none' || has(policy.quorum);
};

export interface Witnessed {
  readonly checkpoint: Checkpoint;
  /** Which witnesses of the policy cosigned, and when by their own clocks, earliest first. */
  readonly witnesses: readonly { readonly name: string; readonly at: Date }[];
  /** The quorum is met. */
  readonly met: boolean;
  /** The latest instant by which a quorum had seen this; undefined when none has, or none is asked for. */
  readonly seenAt: Date | undefined;
}

/** The latest instant such that the witnesses who speak of it or of later still make the quorum. */
const quorumAt = (policy: Policy, witnesses: readonly { name: string; at: Date }[]): Date | undefined =>
  policy.quorum === 'none'
    ? undefined
    : witnesses.map(({ at }) => at).findLast((at) => isMet(policy, new Set(witnesses.filter((one) => one.at >= at).map(({ name }) => name))));

/**
 * Opens a checkpoint of the log `origin` and says who witnessed it. The log's own signature is required, by a key of the policy. Fails as
 * `openNote` does, as `checkpoint_malformed` or `checkpoint_of_other_log`.
 */
export const openWitnessed = (note: string, origin: string, policy: Policy): Witnessed => {
  const logs = policy.logs.map(({ verifier }) => verifier).filter(({ name }) => name === origin);
  const { text, by, times } = openNote(note, [...logs, ...policy.witnesses.map(({ verifier }) => verifier)]);
  if (!by.some((verifier) => logs.includes(verifier))) throw new Failure('note_unsigned', 'no key of this log signed this note');
  const checkpoint = readCheckpoint(text);
  if (checkpoint.origin !== origin) throw new Failure('checkpoint_of_other_log', `${checkpoint.origin} is not ${origin}`);
  const witnesses = policy.witnesses
    .flatMap(({ name, verifier }) => {
      const at = times.get(verifier);
      return at ? [{ name, at }] : [];
    })
    .sort((a, b) => a.at.getTime() - b.at.getTime());
  return {
    checkpoint,
    witnesses,
    met: isMet(policy, new Set(witnesses.map(({ name }) => name))),
    seenAt: quorumAt(policy, witnesses),
  };
};
