import { readFileSync } from 'node:fs';
import { type Policy, readPolicy } from '../journal/policy.ts';
import { Failure } from '../kernel/failure.ts';

/** Who watches the journal, and how long it may go on unwatched. */
export interface WitnessingConfig {
  readonly policy: Policy | undefined;
  /** Milliseconds without a quorum of witnesses, after which no power is given any more; undefined: never. */
  readonly witnessLimitMs: number | undefined;
  /** The same for entries that stay unsigned. */
  readonly sealLimitMs: number | undefined;
}

const UNIT: Readonly<Record<string, number>> = { s: 1000, m: 60_000, h: 3_600_000 };

/** Reads `off`, or a number of seconds, minutes or hours such as `15m`; null when it is neither. */
export const readLimit = (text: string): number | undefined | null => {
  if (text === 'off') return undefined;
  const [, count = '', unit = ''] = /^([1-9][0-9]{0,4})([smh])$/.exec(text) ?? [];
  return count ? Number(count) * (UNIT[unit] ?? 0) : null;
};

const readFile = (file: string, faults: string[]): Policy | undefined => {
  try {
    const policy = readPolicy(readFileSync(file, 'utf8'));
    for (const { name, url } of policy.witnesses)
      if (url === undefined) faults.push(`RELAIS_WITNESS_POLICY: witness ${name} has no address in ${file}`);
    if (!policy.logs.length) faults.push(`RELAIS_WITNESS_POLICY: ${file} has no log line: it is what /log/vkey shows`);
    return policy;
  } catch (error) {
    faults.push(`RELAIS_WITNESS_POLICY: ${file}: ${error instanceof Failure ? error.detail : 'cannot be read'}`);
    return undefined;
  }
};

/** Reads the settings of witnessing; what is wrong with each is added to `faults`. */
export const readWitnessing = (env: Readonly<Record<string, string | undefined>>, faults: string[]): WitnessingConfig => {
  const limit = (name: string, otherwise: string): number | undefined => {
    const value = readLimit(env[name] ?? otherwise);
    if (value === null) faults.push(`${name} must be a time such as 15m or 4h, or off`);
    return value ?? undefined;
  };
  const file = env['RELAIS_WITNESS_POLICY'];
  return {
    policy: file ? readFile(file, faults) : undefined,
    witnessLimitMs: limit('RELAIS_WITNESS_LIMIT', '4h'),
    sealLimitMs: limit('RELAIS_SEAL_LIMIT', '15m'),
  };
};

/** The limits where nothing is set. */
export const DEFAULT_LIMITS = { witnessLimitMs: 4 * 3_600_000, sealLimitMs: 15 * 60_000 } as const;
