import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { CASES } from '../../src/practice/check/cases.ts';
import type { CheckReport } from '../../src/practice/check/report.ts';
import { freePort } from '../../src/practice/ports.ts';
import { until } from '../support/acting.ts';
import { assert, test } from '../support/check.ts';
import { answers, printed, printedContract, ROOT } from '../support/integration.ts';

const SECRET = 'a-secret-of-the-check-a-secret-of-the-check';
const folder = mkdtempSync(join(tmpdir(), 'relais-check-'));
const children: ChildProcess[] = [];
after(() => {
  for (const child of children) child.kill();
  rmSync(folder, { recursive: true, force: true });
});

test('M24 the service that docs/integrate.md prints passes, by the command, with the contract that docs/check-service.md prints', async () => {
  const [port, authority] = [await freePort(), await freePort()];
  writeFileSync(join(folder, 'service.mjs'), printed('js'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'contract.json'), JSON.stringify(printedContract(port)));
  writeFileSync(join(folder, 'secret'), `${SECRET}\n`);
  const service = `http://localhost:${port}`;
  const command = async (...more: string[]): Promise<{ code: number | null; out: string; err: string }> => {
    const args = ['--import', 'tsx', 'src/cli/main.ts', 'check-service', service, '--port', String(authority), ...more];
    const child = spawn(process.execPath, args, { cwd: ROOT });
    children.push(child);
    let [out, err] = ['', ''];
    child.stdout.on('data', (part: Buffer) => (out += part.toString()));
    child.stderr.on('data', (part: Buffer) => (err += part.toString()));
    const code = await new Promise<number | null>((ended) => child.once('close', ended));
    return { code, out, err };
  };
  const nobody = await command();
  assert.equal(nobody.code, 3, nobody.err);
  assert.match(nobody.err, /configuration: .* does not answer/);

  const checking = command(
    '--contract',
    join(folder, 'contract.json'),
    '--secret-file',
    join(folder, 'secret'),
    '--badge',
    join(folder, 'b.svg'),
    '--json',
  );
  assert.ok(await until(() => answers(authority), 60_000), 'the authority is there before the service');
  const env = { PATH: process.env['PATH'] ?? '', ISSUER: `http://localhost:${authority}/oidc`, CLIENT_ID: 'mon-service', CLIENT_SECRET: SECRET };
  children.push(spawn(process.execPath, ['service.mjs'], { cwd: folder, env: { ...env, PORT: String(port), CHECKED: '1' }, stdio: 'ignore' }));
  const done = await checking;
  const report = JSON.parse(done.out) as CheckReport;
  assert.deepEqual(
    report.cases.filter(({ passed }) => !passed),
    [],
  );
  assert.deepEqual([done.code, report.passed, report.failed], [0, CASES.length, 0]);
  assert.match(readFileSync(join(folder, 'b.svg'), 'utf8'), new RegExp(`conforme, ${CASES.length} contrôles`));
});
