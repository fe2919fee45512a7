import { fingerprintOf, nextJournalKey } from '../config/keys.ts';
import { readVkey } from '../journal/note.ts';
import { openSigner, type RotateAnswer } from '../journal/signer.ts';
import { readIfThere } from '../journal/signer-state.ts';
import { sha256, uuidFrom } from '../kernel/crypto.ts';
import { keepFingerprint } from '../persistence/inspection.ts';
import { readOrigin } from '../persistence/journal.ts';
import { EXIT, type HouseCommand, JSON_FLAG } from './command.ts';
import type { CommandContext } from './context.ts';
import { signerFolder } from './journal.ts';

/** Asks the signer: the one that runs, or the one of the embedded journal, whose memory and keys are here. */
const rotateAt = (context: CommandContext, origin: string): RotateAnswer | Promise<RotateAnswer> => {
  if (context.rotateSigner) return context.rotateSigner(origin);
  const keys = context.keys();
  const signer = openSigner({
    folder: signerFolder(context.varFolder),
    privateKeyPem: keys.pem('journal-ed25519').reveal(),
    nextKeyPem: readIfThere(nextJournalKey(keys.folder)),
  });
  return signer.rotate(origin);
};

export const rotateKey: HouseCommand = {
  name: 'journal rotate-key',
  where: 'house',
  summary: 'replace the key that signs the journal, by an entry that the former key and the new one sign',
  flags: [JSON_FLAG],
  notes: [
    'First make the new key where the signer’s is: relais keys make --next. The next checkpoint carries both signatures, later ones the new key’s.',
    'If it was interrupted, run it again: the same change goes on.',
  ],
  run: async (input, context, io) => {
    const origin = await readOrigin(context.database, context.journalHost);
    const answer = await rotateAt(context, origin);
    if ('refused' in answer) {
      io.err(`${answer.refused}: ${answer.message}`);
      return EXIT.refused;
    }
    const { rotation } = answer;
    const { journal } = await context.domain();
    // The same change is one entry, however often it is asked.
    const eventId = uuidFrom(sha256('relais/journal/key-rotation/event/v1\n', rotation.former, '\n', rotation.vkey));
    await context.database.run(async (tx) => {
      const fingerprint = fingerprintOf(readVkey(rotation.vkey).key);
      if (context.keys().has('journal-ed25519')) await keepFingerprint(tx, `journal-ed25519-next-${fingerprint.slice(0, 16)}`, fingerprint);
      await journal.record(tx, { type: 'key.rotated', actor: 'cli', detail: { name: 'journal-ed25519', ...rotation } }, eventId);
    });
    journal.nudge();
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
  },
};
