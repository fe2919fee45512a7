import type { Journal } from '../journal/journal.ts';
import type { Clock } from '../kernel/clock.ts';
import type { MandateId, OrganisationId, UsagerId } from '../kernel/ids.ts';
import type { Transaction, Transactions } from '../kernel/transaction.ts';
import { isTheme, type Theme } from '../organisations/theme.ts';
import type { ConsentMethod } from './mandate.ts';

/** What a service asks: whether a mandate that was used at services of its sector held for a theme at an instant. */
export interface ValidityQuery {
  /** `urn:uuid:…`, as in `authorization_details`, or the reference printed on paper. */
  readonly ref: string;
  readonly theme: Theme;
  /** One démarche, when the mandate may be held to some. */
  readonly demarche: string | undefined;
  readonly at: Date;
}

/** A mandate as it stood at the instant, and who is concerned. */
export interface MandateThen {
  readonly mandateId: MandateId;
  readonly usagerId: UsagerId;
  readonly organisationId: OrganisationId;
  readonly organisationName: string;
  readonly administrationId: string;
  readonly administrationName: string;
  readonly serviceName: string;
  readonly held: boolean;
  readonly consentMethod: ConsentMethod;
  readonly consentAcr: string;
}

export interface ValidityStore {
  /** Undefined for what was never used at services of this sector, whether others know it or not, and for a theme that the service has not. */
  at(tx: Transaction, serviceId: string, query: ValidityQuery): Promise<MandateThen | undefined>;
}

export interface Validity {
  readonly reference: string;
  readonly theme: Theme;
  readonly demarche?: string;
  readonly at: string;
  readonly valid: boolean;
  /** Of a mandate that held. */
  readonly consent?: { readonly method: ConsentMethod; readonly acr: string };
}

export type ValidityRefusal = 'validity_malformed' | 'time_in_future' | 'mandate_unknown';

/**
 * Says afterwards, or now, whether a mandate held: what both wills gave, and nobody had ended, from the instant of its start up to but not including
 * the instant of its end (claim T5). The person reads that it was asked. Whether the structure and the aidant were habilitated is not asked here.
 */
export interface Validities {
  check(
    serviceId: string,
    asked: Readonly<Record<'ref' | 'theme' | 'demarche' | 'at', string | undefined>>,
  ): Promise<Validity | { readonly refused: ValidityRefusal }>;
}

const REFERENCE = /^(?:urn:uuid:[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|M-[0-9A-Z]{4}-[0-9A-Z]{4})$/;
/** RFC 3339, with its zone, of the years for which every part of the house has a date. */
const INSTANT = /^([12]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d{1,3})?(?:Z|[+-]\d\d:\d\d)$/;
/** How far ahead of ours the clock of whoever asks may be. */
const SKEW_MS = 5_000;

/** The instant that a text names; undefined for none, and for a day or an hour that no calendar has (30 February, 24 h). */
const readInstant = (text: string): Date | undefined => {
  const local = INSTANT.exec(text)?.[1];
  const [instant, asUtc] = [new Date(text), new Date(`${local}Z`)];
  if (Number.isNaN(instant.getTime()) || Number.isNaN(asUtc.getTime())) return undefined;
  return asUtc.toISOString().slice(0, 19) === local ? instant : undefined;
};

const readQuery = (asked: Parameters<Validities['check']>[1], now: Date): ValidityQuery | { readonly refused: ValidityRefusal } => {
  const { ref = '', theme, demarche, at } = asked;
  if (!REFERENCE.test(ref) || !isTheme(theme) || (demarche !== undefined && !/^[a-z0-9.-]{1,100}$/.test(demarche)))
    return { refused: 'validity_malformed' };
  if (at === undefined) return { ref, theme, demarche, at: now };
  const instant = readInstant(at);
  if (!instant) return { refused: 'validity_malformed' };
  const ahead = instant.getTime() - now.getTime();
  if (ahead > SKEW_MS) return { refused: 'time_in_future' };
  return { ref, theme, demarche, at: ahead > 0 ? now : instant };
};

/** Makes the use case of the point-in-time check. */
export const createValidities = (parts: { transactions: Transactions; store: ValidityStore; journal: Journal; clock: Clock }): Validities => {
  const { transactions, store, journal, clock } = parts;
  return {
    async check(serviceId, asked) {
      const query = readQuery(asked, clock.now());
      if ('refused' in query) return query;
      const then = await transactions.run(async (tx) => {
        const found = await store.at(tx, serviceId, query);
        if (!found) return undefined;
        await journal.record(tx, {
          type: 'mandate.checked',
          usager: found.usagerId,
          organisation: found.organisationId,
          mandate: found.mandateId,
          service: serviceId,
          administration: found.administrationId,
          theme: query.theme,
          demarche: query.demarche,
          detail: {
            organisationName: found.organisationName,
            serviceName: found.serviceName,
            administrationName: found.administrationName,
            at: query.at.toISOString(),
            valid: found.held,
          },
        });
        return found;
      });
      if (!then) return { refused: 'mandate_unknown' };
      journal.nudge();
      return {
        reference: query.ref,
        theme: query.theme,
        ...(query.demarche === undefined ? {} : { demarche: query.demarche }),
        at: query.at.toISOString(),
        valid: then.held,
        ...(then.held ? { consent: { method: then.consentMethod, acr: then.consentAcr } } : {}),
      };
    },
  };
};
