import '../guard.ts';
import { Failure } from '../../kernel/failure.ts';
import { type Place, startAuthority } from './authority.ts';
import { CASES, SIGNALS } from './cases.ts';
import { type Contract, readContract, WELL_KNOWN } from './contract.ts';
import type { CheckReport } from './report.ts';
import { createVisits } from './visit.ts';

const WAIT_MS = 30_000;
/** What leads to the authority stands before it. */
const LEADS_MS = 3_000;

/** Reads the contract that a service publishes. Fails with `contract_unreadable` or `service_unreachable`. */
export const fetchContract = async (service: URL): Promise<Contract> => {
  const address = new URL(WELL_KNOWN, service);
  const answer = await fetch(address, { signal: AbortSignal.timeout(5000) }).catch((cause: unknown) => {
    throw new Failure('service_unreachable', `${address.origin} does not answer`, { cause });
  });
  if (!answer.ok) throw new Failure('contract_unreadable', `${address.href} answered ${answer.status}: give the contract by --contract FILE`);
  return readContract(await answer.text());
};

/** A proxy that has nobody behind it is not the service. */
const answers = (service: URL): Promise<boolean> =>
  fetch(service, { redirect: 'manual', signal: AbortSignal.timeout(2000) })
    .then(async (answer) => {
      await answer.body?.cancel();
      return ![502, 503, 504].includes(answer.status);
    })
    .catch(() => false);

/**
 * Plays the authority on `port` against the service, case by case. The authority is there first, since many services read its metadata when they
 * start: the service may come up to 30 seconds later. Nothing is left running. Fails with `secret_missing`, `port_taken`, `issuer_elsewhere` or
 * `service_unreachable`.
 */
export const checkService = async (
  options: Place & { readonly service: URL; readonly contract: Contract; readonly secret: string | undefined },
): Promise<CheckReport> => {
  const { service, contract, secret } = options;
  if (contract.profile === 'standard' && !secret)
    throw new Failure('secret_missing', 'a service of profile standard has a client secret: give it by --secret-file FILE');
  const authority = await startAuthority(options).catch((cause: unknown) => {
    throw new Failure('port_taken', `the authority cannot listen on port ${options.port}${options.host === undefined ? '' : ` of ${options.host}`}`, {
      cause,
    });
  });
  const waitFor = async (holds: () => Promise<boolean>, ms: number, code: string, says: string): Promise<void> => {
    for (const end = performance.now() + ms; !(await holds()); await new Promise((resume) => setTimeout(resume, 200)))
      if (performance.now() > end) throw new Failure(code, says);
  };
  try {
    const where = `${options.host ?? 'localhost'}:${options.port}`;
    if (options.issuer !== undefined)
      await waitFor(authority.reached, LEADS_MS, 'issuer_elsewhere', `${authority.issuer} does not lead to this command, which listens on ${where}`);
    await waitFor(() => answers(service), WAIT_MS, 'service_unreachable', `${service.origin} does not answer`);
    const parts = { authority, contract, visits: createVisits(service.href, contract, authority) };
    const cases = [];
    for (const { id, title, play } of [...CASES, ...(contract.signals_uri === undefined ? [] : SIGNALS)]) {
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
