import '../guard.ts';
import { readFileSync, writeFileSync } from 'node:fs';
import { Failure } from '../../kernel/failure.ts';
import { checkService, fetchContract } from './check.ts';
import { readContract } from './contract.ts';
import { badge, textReport } from './report.ts';

/** The program of `relais check-service`; its one argument is what the command was asked, as JSON. */

interface Asked {
  readonly service: string;
  readonly port: number;
  readonly host?: string;
  readonly issuer?: string;
  readonly contract?: string;
  readonly secretFile?: string;
  readonly badge?: string;
  readonly json: boolean;
}

try {
  const asked = JSON.parse(process.argv[2] ?? '{}') as Asked; // written by cli/check-service.ts
  const service = new URL(asked.service);
  const report = await checkService({
    service,
    port: asked.port,
    host: asked.host,
    issuer: asked.issuer,
    contract: asked.contract === undefined ? await fetchContract(service) : readContract(readFileSync(asked.contract, 'utf8')),
    secret: asked.secretFile === undefined ? undefined : readFileSync(asked.secretFile, 'utf8').trim(),
  });
  process.stdout.write(`${asked.json ? JSON.stringify(report, null, 1) : textReport(report)}\n`);
  if (asked.badge !== undefined) writeFileSync(asked.badge, badge(report));
  process.exitCode = report.failed === 0 ? 0 : 1;
} catch (error) {
  const why = error instanceof Failure || (error instanceof Error && 'code' in error) ? error.message : undefined;
  process.stderr.write(why === undefined ? `${error instanceof Error ? error.stack : String(error)}\n` : `configuration: ${why}\n`);
  process.exitCode = why === undefined ? 70 : 3;
}
