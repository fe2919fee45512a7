import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { DEFAULT_LIMITS, readWitnessing } from '../../src/config/witnessing.ts';
import { verifierOf, writeVkey } from '../../src/journal/note.ts';
import { makePrivateKeyPem, publicKeyOf, readPrivateKey } from '../../src/kernel/crypto.ts';
import { assert, test } from '../support/check.ts';

const vkey = (name: string, kind: 'note' | 'cosignature'): string =>
  writeVkey(verifierOf(name, publicKeyOf(readPrivateKey(makePrivateKeyPem('ed25519'))), kind));
const fileOf = (t: TestContext, ...lines: string[]): string => {
  const folder = mkdtempSync(join(tmpdir(), 'relais-policy-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'policy'), lines.join('\n'));
  return join(folder, 'policy');
};

test('the settings of witnessing: a policy, two limits that may be off, and every fault by its name', (t) => {
  const log = `log ${vkey('journal.example/0a1b2c3d', 'note')}`;
  const witness = `witness w1 ${vkey('w1.example', 'cosignature')}`;
  const read = (env: Record<string, string>): [ReturnType<typeof readWitnessing>, string[]] => {
    const faults: string[] = [];
    return [readWitnessing(env, faults), faults];
  };
  assert.deepEqual(read({}), [{ policy: undefined, ...DEFAULT_LIMITS }, []]);
  const [good, none] = read({
    RELAIS_WITNESS_POLICY: fileOf(t, log, `${witness} https://w1.example/`, 'quorum w1'),
    RELAIS_WITNESS_LIMIT: '90m',
    RELAIS_SEAL_LIMIT: 'off',
  });
  assert.deepEqual([good.policy?.quorum, good.witnessLimitMs, good.sealLimitMs, none], ['w1', 5_400_000, undefined, []]);
  const wrong: [Record<string, string>, RegExp[]][] = [
    [{ RELAIS_WITNESS_POLICY: '/nowhere/policy' }, [/^RELAIS_WITNESS_POLICY: .*cannot be read/]],
    [{ RELAIS_WITNESS_POLICY: fileOf(t, log, witness, 'quorum w2') }, [/^RELAIS_WITNESS_POLICY: .*line 3: "w2" is not defined above/]],
    [{ RELAIS_WITNESS_POLICY: fileOf(t, witness, 'quorum w1') }, [/witness w1 has no address/, /has no log line/]],
    [{ RELAIS_WITNESS_LIMIT: '4', RELAIS_SEAL_LIMIT: '-1m' }, [/^RELAIS_WITNESS_LIMIT must be a time/, /^RELAIS_SEAL_LIMIT must be a time/]],
  ];
  for (const [env, expected] of wrong) {
    const [, faults] = read(env);
    assert.equal(faults.length, expected.length, faults.join(' | '));
    for (const [i, fault] of faults.entries()) assert.match(fault, expected[i] ?? /^$/);
  }
});
