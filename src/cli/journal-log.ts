import { mkdirSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { copyLog, folderCheckpoint, writeInFolder } from '../journal/log-folder.ts';
import { openSized } from '../journal/log-keys.ts';
import { folderReader } from '../journal/log-reader.ts';
import { writeVkey } from '../journal/note.ts';
import { followRotations, writeRotations } from '../journal/rotations.ts';
import { readOrigin } from '../persistence/journal.ts';
import { newestWitnessed } from '../persistence/journal-cosignatures.ts';
import { logStore } from '../persistence/journal-published.ts';
import { rebuildTiles } from '../persistence/journal-rebuild.ts';
import { rotationsIn } from '../persistence/journal-source.ts';
import { EXIT, type HouseCommand, JSON_FLAG } from './command.ts';
import { trustedKey } from './journal.ts';

const REFUSED: Readonly<Record<string, readonly [exit: number, message: string]>> = {
  other_log: [EXIT.refused, 'the folder holds another log: give an empty one'],
  older: [EXIT.continuity, 'the folder holds more entries than are signed here: this journal was cut, or an older copy of it put back'],
  not_continued: [EXIT.continuity, 'what the folder holds is not the beginning of this journal: history was rewritten; keep the folder'],
  leaves_differ: [EXIT.tree, 'the leaves do not give the signed root: run `relais journal verify`'],
};

const PROGRESS_EVERY = 65_536;

const exportCommand: HouseCommand = {
  name: 'journal export',
  where: 'house',
  summary: 'write the signed journal into a folder of static files (C2SP tlog-tiles), or bring that folder up to date',
  flags: [
    { name: 'to', kind: 'text', value: 'FOLDER', help: 'an absolute path; made if it is missing', required: true },
    { name: 'without-entries', kind: 'switch', help: 'hashes only, which say nothing: for a folder that anybody may read' },
    JSON_FLAG,
  ],
  notes: [
    'Only what is under a signed checkpoint is written, and `checkpoint` last: the newest that the witnesses of the policy have seen, where there are. Interrupted, it goes on where it was. No sealed part leaves: a leaf says',
    'when something of which kind was done, not by whom or for whom. docs/journal.md says how anybody verifies the folder.',
  ],
  run: async (input, context, io) => {
    const folder = input.must('to');
    if (!isAbsolute(folder)) {
      io.err('--to takes an absolute path: the process that holds the database writes there');
      return EXIT.usage;
    }
    const origin = await readOrigin(context.database, context.journalHost);
    const store = logStore(context.database.auto);
    const newest = await store.checkpoint();
    if (!newest) {
      io.err('Nothing is signed yet.');
      return EXIT.checkpoint;
    }
    const key = await trustedKey(undefined, origin, context);
    mkdirSync(join(folder, 'tile'), { recursive: true });
    const policy = context.witnessing?.policy;
    const witnessed =
      policy && (await newestWitnessed(context.database.auto, origin, policy, (await folderCheckpoint(folderReader(folder)))?.size ?? 0));
    const { note } = witnessed ?? newest;
    const rotations = await rotationsIn(context.database.auto);
    const checkpoint = openSized(note, origin, followRotations([key], rotations).keys);
    const copied = await copyLog({
      folder,
      checkpoint,
      note,
      leaves: store.leaves,
      entries: !input.on('without-entries'),
      onProgress: (done, size) => {
        if (done % PROGRESS_EVERY === 0) io.err(`${done} of ${size} entries`);
      },
    });
    if ('refused' in copied) {
      const [exit, message] = REFUSED[copied.refused] ?? [EXIT.fault, copied.refused];
      io.err(`${copied.refused}: ${message}`);
      return exit;
    }
    if (rotations.length) writeInFolder(folder, 'rotations', writeRotations(rotations));
    writeInFolder(folder, 'vkey', `${writeVkey(key)}\n`);
    if (policy) writeInFolder(folder, 'policy', policy.text);
    io.out(
      input.on('json')
        ? JSON.stringify({ origin, ...copied, folder })
        : `${copied.size} entries of ${origin} in ${folder}, ${copied.size - copied.from} of them new.`,
    );
    return EXIT.done;
  },
};

const rebuild: HouseCommand = {
  name: 'journal rebuild-tiles',
  where: 'house',
  summary: 'make the tiles of the journal again out of its leaves, where they were lost',
  flags: [JSON_FLAG],
  notes: ['For the owner of the database. Nothing is written unless the leaves give the signed root, and nothing that is there is changed.'],
  run: async (input, context, io) => {
    const done = await rebuildTiles(context.database);
    if ('refused' in done) {
      io.err(`${done.refused} at ${done.index}: nothing was written; run \`relais journal verify\``);
      return done.refused.startsWith('leaf_') ? EXIT.entry : EXIT.tree;
    }
    io.out(input.on('json') ? JSON.stringify(done) : `${done.size} entries have ${done.tiles} full tiles, ${done.made} of which were made again.`);
    return EXIT.done;
  },
};

export const logCommands: readonly HouseCommand[] = [exportCommand, rebuild];
