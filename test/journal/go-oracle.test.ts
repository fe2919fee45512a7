import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { copyLog } from '../../src/journal/log-folder.ts';
import { openCheckpoint, verifierOf, writeVkey } from '../../src/journal/note.ts';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey } from '../../src/kernel/crypto.ts';
import { logStore } from '../../src/persistence/journal-published.ts';
import { assert, test } from '../support/check.ts';
import { databases } from '../support/database.ts';
import { startBigLog } from './big-log.ts';

/** Go's own code for transparency logs reads what we write (acceptance test 7). `test/oracle` is that program. */

const ENTRIES = 100_000;
/** Debian keeps the libraries of Go here; without modules, nothing is asked of a network. */
const LIBRARIES = '/usr/share/gocode';
const hasGo = existsSync(join(LIBRARIES, 'src/golang.org/x/mod')) && spawnSync('go', ['version']).status === 0;
const missing = 'not run: the Go oracle, since golang-go or golang-golang-x-mod-dev is not installed';
const mustRun = /^(1|true)$/i.test(process.env['CI'] ?? '');

test('J4 J5 Go verifies an export: signature, tiles, every leaf, 200 inclusion and 50 consistency proofs (§6.7)', {
  database: 'pglite',
  skip: !hasGo && !mustRun && missing,
}, async (t) => {
  assert.ok(hasGo, missing);
  const folder = mkdtempSync(join(tmpdir(), 'relais-oracle-'));
  const [kind] = databases();
  assert.ok(kind);
  const { database, drop } = await kind.fresh();
  t.after(async () => {
    await drop();
    rmSync(folder, { recursive: true, force: true });
  });
  const program = join(folder, 'oracle');
  execFileSync('go', ['build', '-o', program, 'main.go'], {
    cwd: resolve(import.meta.dirname, '../oracle'),
    env: { PATH: process.env['PATH'], HOME: folder, GOPATH: LIBRARIES, GO111MODULE: 'off', GOFLAGS: '', GOPROXY: 'off' },
  });
  const log = await startBigLog(database);
  await log.grow(ENTRIES + 356 - (ENTRIES % 256)); // an edge that is partial at each level
  const store = logStore(database.auto);
  const { note = '' } = (await store.checkpoint()) ?? {};
  const checkpoint = openCheckpoint(note, log.origin, [log.verifier]);
  const out = join(folder, 'export');
  await copyLog({ folder: out, note, checkpoint, leaves: store.leaves, entries: true });
  const ask = (vkey = writeVkey(log.verifier), ...more: string[]): { status: number | null; said: string } => {
    const { status, stdout, stderr } = spawnSync(program, ['-dir', out, '-vkey', vkey, ...more], { encoding: 'utf8' });
    return { status, said: stdout + stderr };
  };
  const size = checkpoint.size;
  assert.ok(size >= ENTRIES && size % 256 !== 0 && Math.floor(size / 256) % 256 !== 0);
  const whole = ask();
  assert.deepEqual([whole.status, whole.said], [0, `ok ${log.origin} ${size} entries, ${size} leaves, 200 inclusion, 50 consistency\n`]);

  // It refuses what does not hold, each by its own check.
  const altered = (path: string, change: (bytes: Buffer) => void, expected: RegExp): void => {
    const file = join(out, path);
    const kept = readFileSync(file);
    const bytes = Buffer.from(kept);
    change(bytes);
    writeFileSync(file, bytes);
    const answer = ask();
    writeFileSync(file, kept);
    assert.equal(answer.status, 1, path);
    assert.match(answer.said, expected);
  };
  const flip =
    (at: number) =>
    (bytes: Buffer): void => {
      bytes[at] = (bytes[at] ?? 0) ^ 1;
    };
  const partial = size % 256;
  altered('tile/entries/123', flip(5), /entry 31488 is not the one of its tile/);
  altered(`tile/0/${Math.floor(size / 256)}.p/${partial}`, flip(40), /tile|root|hash/i);
  altered('checkpoint', flip(log.origin.length + 3), /does not hold: /);
  const stranger = verifierOf(log.origin, publicKeyOf(readPrivateKey(makePrivateKeyPem('ed25519'))));
  assert.equal(ask(writeVkey(stranger)).status, 1);
  assert.equal(ask().status, 0, 'put back, it holds again');
});
