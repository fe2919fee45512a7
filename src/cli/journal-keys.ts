import type { Approval } from '../approvals/approval.ts';
import { nextJournalKey } from '../config/keys.ts';
import { fingerprintOf, type SignedRotation } from '../journal/log-keys.ts';
import { readVkey } from '../journal/note.ts';
import { openSigner, type RotateAnswer } from '../journal/signer.ts';
import { readIfThere } from '../journal/signer-state.ts';
import { canonical } from '../kernel/canonical.ts';
import { sha256, uuidFrom } from '../kernel/crypto.ts';
import { keepFingerprint } from '../persistence/inspection.ts';
import { readOrigin } from '../persistence/journal.ts';
import { AS_FLAGS, EXIT, type HouseCommand, type Input, type Io, JSON_FLAG } from './command.ts';
import type { CommandContext } from './context.ts';
import { signerFolder } from './journal.ts';
import { proveOperateur } from './operateur.ts';
import { refuse } from './refusals.ts';

/** Asks the signer: the one that runs, or the one of the embedded journal, whose memory and keys are here. */
const rotateAt = (context: CommandContext, origin: string, fingerprint: string): RotateAnswer | Promise<RotateAnswer> => {
  if (context.rotateSigner) return context.rotateSigner(origin, fingerprint);
  const keys = context.keys();
  const signer = openSigner({
    folder: signerFolder(context.varFolder),
    privateKeyPem: keys.pem('journal-ed25519').reveal(),
    nextKeyPem: readIfThere(nextJournalKey(keys.folder)),
  });
  return signer.rotate(origin, fingerprint);
};

/** What the second opérateur approves. */
const hashOf = (origin: string, fingerprint: string): Buffer =>
  sha256('relais/journal/key-rotation/approval/v1\n', canonical({ origin, next: fingerprint }));

/** Enters the change that the signer signed: the same change is one entry, however often it is asked. */
const enter = async (context: CommandContext, rotation: SignedRotation, by: string): Promise<void> => {
  const { journal } = await context.domain();
  const eventId = uuidFrom(sha256('relais/journal/key-rotation/event/v1\n', rotation.former, '\n', rotation.vkey));
  await context.database.run(async (tx) => {
    const fingerprint = fingerprintOf(readVkey(rotation.vkey).key);
    if (context.keys().has('journal-ed25519')) await keepFingerprint(tx, `journal-ed25519-next-${fingerprint.slice(0, 16)}`, fingerprint);
    await journal.record(tx, { type: 'key.rotated', actor: by, detail: { name: 'journal-ed25519', ...rotation } }, eventId);
  });
  journal.nudge();
};

/** Gives a change of key that another opérateur asked for; the same again goes on with what was interrupted. */
export const giveRotation = async (approval: Approval, input: Input, context: CommandContext, io: Io): Promise<number> => {
  const domain = await context.domain();
  const by = await proveOperateur(input, domain, io);
  if (typeof by !== 'string') return refuse(io, by, input.on('json'));
  const origin = await readOrigin(context.database, context.journalHost);
  const hash = hashOf(origin, approval.subject);
  if (approval.approvedBy === undefined) {
    const given = await domain.approvals.approve(approval.id, by, hash);
    if ('refused' in given && given.refused !== 'already_approved') return refuse(io, given, input.on('json'));
  } else if (!approval.hash.equals(hash)) return refuse(io, { refused: 'hash_differs' }, input.on('json'));
  const answer = await rotateAt(context, origin, approval.subject);
  if ('refused' in answer) {
    io.err(`${answer.refused}: ${answer.message}`);
    return EXIT.refused;
  }
  const { rotation } = answer;
  await enter(context, rotation, by);
  if (input.on('json')) io.out(JSON.stringify({ former: rotation.former, vkey: rotation.vkey }));
  else
    for (const line of [
      `The key of ${origin} is now:`,
      rotation.vkey,
      'Give it to the witnesses and to whoever checks the journal; with the former one they can check the change by themselves.',
      'Then put journal-ed25519-next.pem in the place of journal-ed25519.pem, and keep the former apart.',
    ])
      io.out(line);
  return EXIT.done;
};

export const rotateKey: HouseCommand = {
  name: 'journal rotate-key',
  where: 'house',
  summary: 'replace the key that signs the journal, by an entry that the former key and the new one sign; another opérateur approves',
  flags: [
    { name: 'next', kind: 'text', value: 'FINGERPRINT', help: 'the new key, when asking: what `relais keys make --next` printed' },
    { name: 'approve', kind: 'text', value: 'APPROVAL', help: 'as the second opérateur: replace the key; the same again goes on after a fault' },
    ...AS_FLAGS,
    JSON_FLAG,
  ],
  notes: [
    'First make the new key where the signer’s is: relais keys make --next. The next checkpoint carries both signatures, later ones the new key’s.',
  ],
  run: async (input, context, io) => {
    const domain = await context.domain();
    const json = input.on('json');
    const approving = input.text('approve');
    if (approving !== undefined) {
      const approval = await domain.approvals.find(approving);
      return approval?.kind === 'key-rotation' ? giveRotation(approval, input, context, io) : refuse(io, { refused: 'unknown_approval' }, json);
    }
    const fingerprint = input.text('next') ?? '';
    if (!/^[0-9a-f]{64}$/.test(fingerprint)) return refuse(io, { refused: 'fingerprint_malformed' }, json);
    const askedBy = await proveOperateur(input, domain, io);
    if (typeof askedBy !== 'string') return refuse(io, askedBy, json);
    const hash = hashOf(await readOrigin(context.database, context.journalHost), fingerprint);
    const { id } = await domain.approvals.ask({ kind: 'key-rotation', subject: fingerprint, hash, askedBy });
    io.out(
      json
        ? JSON.stringify({ approval: id, hash: hash.toString('hex') })
        : `It waits for a second opérateur; the key is not changed yet.\nNext, by another opérateur: relais journal rotate-key --approve ${id} --as OPERATEUR`,
    );
    return EXIT.done;
  },
};
