import '../guard.ts';
import { Failure } from '../../kernel/failure.ts';
import { startAuthority } from './authority.ts';
import { CASES } from './cases.ts';
import { type Contract, readContract, WELL_KNOWN } from './contract.ts';
import type { CheckReport } from './report.ts';
import { createVisits } from './visit.ts';

const WAIT_MS = 30_000;

/** Reads the contract that a service publishes. Fails with `contract_unreadable` or `service_unreachable`. */
export const fetchContract = async (service: URL): Promise<Contract> => {
  const address = new URL(WELL_KNOWN, service);
  const answer = await fetch(address, { signal: AbortSignal.timeout(5000) }).catch((cause: unknown) => {
    throw new Failure('service_unreachable', `${address.origin} does not answer`, { cause });
  });
  if (!answer.ok) throw new Failure('contract_unreadable', `${address.href} answered ${answer.status}: give the contract by --contract FILE`);
  return readContract(await answer.text());
};

const answers = (service: URL): Promise<boolean> =>
  fetch(service, { redirect: 'manual', signal: AbortSignal.timeout(2000) })
    .then(async (answer) => {
      await answer.body?.cancel();
      return true;
    })
    .catch(() => false);

/**
 * Plays the authority on `port` against the service, case by case. The authority is there first, since many services read its metadata when they
 * start: the service may come up to 30 seconds later. Nothing is left running. Fails with `secret_missing`, `port_taken` or
 * `service_unreachable`.
 */
export const checkService = async (options: {
  readonly service: URL;
  readonly contract: Contract;
  readonly port: number;
  readonly secret: string | undefined;
}): Promise<CheckReport> => {
  const { service, contract, secret } = options;
  if (contract.profile === 'standard' && !secret)
    throw new Failure('secret_missing', 'a service of profile standard has a client secret: give it by --secret-file FILE');
  const authority = await startAuthority(options).catch((cause: unknown) => {
    throw new Failure('port_taken', `the authority cannot listen on port ${options.port}`, { cause });
  });
  try {
    for (const end = performance.now() + WAIT_MS; !(await answers(service)); await new Promise((resume) => setTimeout(resume, 200)))
      if (performance.now() > end) throw new Failure('service_unreachable', `${service.origin} does not answer`);
    const parts = { authority, contract, visits: createVisits(service.href, contract, authority) };
    const cases = [];
    for (const { id, title, play } of CASES) {
      const finding = await play(parts);
      cases.push({ id, title, passed: finding === undefined, ...(finding === undefined ? {} : { finding }) });
    }
    const passed = cases.filter((each) => each.passed).length;
    return {
      service: service.href,
      client_id: contract.client_id,
      profile: contract.profile,
      at: new Date().toISOString(),
      passed,
      failed: cases.length - passed,
      cases,
    };
  } finally {
    await authority.close();
  }
};
