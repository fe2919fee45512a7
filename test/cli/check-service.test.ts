import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { request as ask } from 'node:http';
import { createServer } from 'node:https';
import type { AddressInfo } from 'node:net';
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

/** The command as it is typed. */
const check = async (given: readonly string[], env: NodeJS.ProcessEnv = process.env): Promise<{ code: number | null; out: string; err: string }> => {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', 'check-service', ...given], { cwd: ROOT, env });
  children.push(child);
  let [out, err] = ['', ''];
  child.stdout.on('data', (part: Buffer) => (out += part.toString()));
  child.stderr.on('data', (part: Buffer) => (err += part.toString()));
  const code = await new Promise<number | null>((ended) => child.once('close', ended));
  return { code, out, err };
};

test('M24 the service that docs/integrate.md prints passes, by the command, with the contract that docs/check-service.md prints', async () => {
  const [port, authority] = [await freePort(), await freePort()];
  writeFileSync(join(folder, 'service.mjs'), printed('js'));
  symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  writeFileSync(join(folder, 'contract.json'), JSON.stringify(printedContract(port)));
  writeFileSync(join(folder, 'secret'), `${SECRET}\n`);
  const service = `http://localhost:${port}`;
  const command = (...more: string[]) => check([service, '--port', String(authority), ...more]);
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

/** HTTPS in front of a port of this machine, as a tunnel is. */
const tunnel = async (tls: { key: Buffer; cert: Buffer }, port: number) => {
  const server = createServer(tls, (incoming, outgoing) => {
    const { method, url, headers } = incoming;
    const onward = ask({ host: 'localhost', port, method, path: url, headers: { ...headers, host: `localhost:${port}` } }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(outgoing);
    });
    onward.on('error', () => outgoing.writeHead(502).end());
    incoming.pipe(onward);
  });
  await new Promise<void>((done) => server.listen(0, 'localhost', done));
  return {
    origin: `https://localhost:${(server.address() as AddressInfo).port}`,
    close: () => {
      server.closeAllConnections();
      server.close();
    },
  };
};

test('M24 a service elsewhere is checked through HTTPS, in both directions; an address that leads to another is said so', {
  skip: spawnSync('openssl', ['version']).status !== 0,
}, async (t) => {
  const own = mkdtempSync(join(folder, 'far-'));
  const certificate = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key.pem -out cert.pem -days 1 -subj /CN=x -addext';
  execFileSync('openssl', [...certificate.split(' '), 'subjectAltName=DNS:localhost'], { cwd: own, stdio: 'pipe' });
  const tls = { key: readFileSync(join(own, 'key.pem')), cert: readFileSync(join(own, 'cert.pem')) };
  const [port, authority] = [await freePort(), await freePort()];
  const [far, home, wrong] = [await tunnel(tls, port), await tunnel(tls, authority), await tunnel(tls, await freePort())];
  t.after(() => {
    for (const each of [far, home, wrong]) each.close();
  });
  const env = { ...process.env, NODE_EXTRA_CA_CERTS: join(own, 'cert.pem') };
  writeFileSync(join(own, 'service.mjs'), printed('js').replace(/`http:\/\/localhost:\$\{PORT\}`/, 'process.env.HERE'));
  symlinkSync(join(ROOT, 'node_modules'), join(own, 'node_modules'));
  writeFileSync(join(own, 'contract.json'), JSON.stringify(printedContract(port)).replaceAll(`http://localhost:${port}`, far.origin));
  writeFileSync(join(own, 'secret'), `${SECRET}\n`);
  const issuer = `${home.origin}/oidc`;
  const given = [far.origin, '--contract', join(own, 'contract.json'), '--secret-file', join(own, 'secret'), '--port', String(authority), '--json'];
  for (const amiss of ['x', 'http://autorite.example/oidc', `${home.origin}/`, `${issuer}?x`]) {
    const { code, err } = await check([...given, '--issuer', amiss], env);
    assert.deepEqual([code, /--issuer is not an address with HTTPS/.test(err)], [2, true], amiss);
  }
  const checking = check([...given, '--issuer', issuer], env);
  assert.ok(await until(() => answers(authority), 60_000));
  const told = { ...env, ISSUER: issuer, CLIENT_ID: 'mon-service', CLIENT_SECRET: SECRET, PORT: String(port), HERE: far.origin, CHECKED: '1' };
  children.push(spawn(process.execPath, ['service.mjs'], { cwd: own, env: told, stdio: 'ignore' }));
  const done = await checking;
  const report = JSON.parse(done.out || '{"cases":[]}') as CheckReport;
  assert.deepEqual([report.cases.filter(({ passed }) => !passed), done.code], [[], 0], done.err);
  assert.deepEqual([report.service, report.passed], [`${far.origin}/`, CASES.length]);
  const lost = await check([...given, '--issuer', `${wrong.origin}/oidc`, '--host', '127.0.0.1'], env);
  assert.equal(lost.code, 3);
  assert.match(lost.err, new RegExp(`configuration: .*${wrong.origin}/oidc does not lead to this command, which listens on 127.0.0.1:${authority}`));
});
